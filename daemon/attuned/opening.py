"""The start of a site on its store: a windows.db that cannot be read, which may be lost, is set aside."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from attuned.errors import DamagedStoreError, StoreError
from attuned.site import Site
from attuned.store.copies import set_aside
from attuned.unreadable import drop_unreadable, is_of_rows

log = logging.getLogger(__name__)


async def opened(make: Callable[[], Site]) -> Site:
    """A site that is open. Raises UnusableStoreError, and StoreError for what may pass; then nothing is left open."""
    try:
        return await _without_unreadable(make)
    except DamagedStoreError as error:
        site = make()
        if error.path != site.window_store.database.path:
            raise
        aside = set_aside(error.path)
        log.error(
            "The store %s %s; it is now %s and a new one is begun: rooms and labels go on, windows and history from "
            "before are in that file alone.",
            error.path,
            error.found,
            aside,
        )
        return await _opened(site)


async def _without_unreadable(make: Callable[[], Site]) -> Site:
    site = make()
    try:
        return await _opened(site)
    except Exception as error:
        if not is_of_rows(error) or not await asyncio.to_thread(drop_unreadable, site.settings.store.path):
            raise
    return await _opened(make())


async def explain(error: Exception, folder: Path) -> None:
    """What ended a daemon whose store is closed by now may be a row that cannot be read. Raises StoreError then."""
    if is_of_rows(error) and await asyncio.to_thread(drop_unreadable, folder):
        raise StoreError(f"Rows of {folder / 'windows.db'} could not be read and are dropped: start again.") from error


async def _opened(site: Site) -> Site:
    try:
        await site.open()
    except BaseException:
        await site.close()
        raise
    return site
