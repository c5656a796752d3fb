"""Libraries an application may ask for: Debian's, never copied into the tree."""
from manifest import Mistake


def target_libraries(names):
    """(compiler flags, archives) for the unikernel."""
    if names:
        raise Mistake(f"unknown libraries: {' '.join(names)}")
    return [], []


def build_project(manifest, where):
    """Build an existing project with our compiler driver: (objects, archives, file roots)."""
    raise Mistake(f"{manifest.name}: projects are not supported yet")
