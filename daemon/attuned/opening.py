"""The start of a site on its store: a windows.db that cannot be read, which may be lost, is set aside."""

import logging
from collections.abc import Callable

from attuned.errors import DamagedStoreError
from attuned.site import Site
from attuned.store.copies import set_aside

log = logging.getLogger(__name__)


async def opened(make: Callable[[], Site]) -> Site:
    """A site that is open. Raises UnusableStoreError, and StoreError for what may pass; then nothing is left open."""
    try:
        return await _opened(make())
    except DamagedStoreError as error:
        site = make()
        if error.path != site.window_store.database.path:
            raise
        aside = set_aside(error.path)
        log.error(
            "%s It could not be read, so it is now %s and a new one is begun: rooms and labels go on, windows and "
            "history from before are in that file alone.",
            error,
            aside,
        )
        return await _opened(site)


async def _opened(site: Site) -> Site:
    try:
        await site.open()
    except BaseException:
        await site.close()
        raise
    return site
