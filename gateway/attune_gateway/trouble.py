"""What an operating system's error means to whoever has to mend it."""

import errno
import os
import pwd

_ABSENT = "it is not there: plug it in, or correct its name"

_ADVICE = {
    errno.ENOENT: _ABSENT,
    errno.ENODEV: _ABSENT,
    errno.ENXIO: _ABSENT,
    errno.EACCES: "{user} may not open it: add {user} to the group that owns it (`ls -lL`), and restart the gateway",
    errno.EBUSY: "another program uses it: stop that one",
    errno.EAGAIN: "another program uses it: stop that one",
    errno.ENOTTY: "it is no serial line: correct its name",
    errno.EIO: "it does not work: unplug it and plug it in again",
}


def reason(error: BaseException) -> str:
    """Why a device or an address cannot be used, and what to do about it where that is known; no full stop."""
    number = _number_of(error)
    if number in _ADVICE:
        return _ADVICE[number].format(user=user())
    if number:
        return os.strerror(number)
    return "it does not answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__


def user() -> str:
    """Who this process runs as."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def _number_of(error: BaseException | None) -> int:
    """Of the error or of one that it came of: pyserial hides those of the terminal."""
    while error is not None:
        number = getattr(error, "errno", None) or next(iter(error.args), None)
        if isinstance(number, int) and number in errno.errorcode:
            return number
        error = error.__cause__ or error.__context__
    return 0
