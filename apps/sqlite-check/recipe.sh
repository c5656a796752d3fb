# In: CC, BULKHEAD_ROOT, BULKHEAD_STAGE. Out: ./objects.
source=$($PYTHON "$BULKHEAD_ROOT/tools/debian.py" source sqlite3)
library=$($PYTHON "$BULKHEAD_ROOT/tools/debian.py" fetch libsqlite3-dev)
$CC -Os -I"$library/usr/include" -c "$source/test/speedtest1.c" -o speedtest1.o
echo speedtest1.o >objects
if [ "$BULKHEAD_STAGE" = xen ]; then
    echo "$library/usr/lib/aarch64-linux-gnu/libsqlite3.a" >>objects
else
    echo "$(gcc -print-file-name=libsqlite3.a)" >>objects
fi
