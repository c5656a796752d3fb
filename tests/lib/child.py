"""Children that end with their parent, however the parent ends."""
import ctypes
import signal

PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None)


def dies_with_parent():
    """For subprocess.Popen(preexec_fn=...): an emulator left behind would eat the machine."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
