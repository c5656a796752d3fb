# Build the C programs of `make check` with the compiler driver and put them behind one main().
# In: CC, AR, RANLIB, BULKHEAD_ROOT, BULKHEAD_HOST. Out: ./objects.
source=$($PYTHON "$BULKHEAD_ROOT/tools/debian.py" source lighttpd)
headers=$($PYTHON "$BULKHEAD_ROOT/tools/debian.py" fetch libc6-dev)
rm -rf build include
cp -a "$source" build
mkdir -p include/sys
# The one header that lighttpd wants and musl does not have.
cp "$headers/usr/include/aarch64-linux-gnu/sys/queue.h" include/sys/queue.h
programs="test_common test_configfile test_mod"
(
    cd build
    # Keep automake from wanting to run again: generated files are newer than their sources.
    touch aclocal.m4
    touch configure config.h.in Makefile.in src/Makefile.in
    CFLAGS="-Os -I$PWD/../include" ./configure \
        --host="$BULKHEAD_HOST" --disable-shared --without-pcre2 --without-zlib \
        --without-bzip2 --disable-lfs --disable-mmap CC_FOR_BUILD=cc
    for program in $programs; do
        make -C src versionstamp "t/$program" CC_FOR_BUILD=cc
        case $CC in *cc) objcopy=aarch64-linux-gnu-objcopy ;; esac
        [ "$BULKHEAD_STAGE" = xen ] || objcopy=objcopy
        $objcopy --redefine-sym main="$program" "src/t/$program.o" "src/t/$program-renamed.o"
    done
) >build.log 2>&1 || { tail -n 30 build.log >&2; exit 1; }
$CC -Os -c "$BULKHEAD_ROOT/apps/lighttpd-check/main.c" -o main.o
# What the three programs consist of, each object once; their mains under other names.
(
    for program in $programs; do
        sed -n "s/.* -o t\/$program \(.*\)/\1/p" build.log | tail -n 1
    done | tr ' ' '\n' | grep '\.o$' | grep -v -x -E 't/test_(common|configfile|mod)\.o' | sort -u | sed 's|^|build/src/|'
    for program in $programs; do echo "build/src/t/$program-renamed.o"; done
    echo main.o
) >objects
