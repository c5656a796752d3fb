/*
 * SQLite on the disk: checks the database, says how many rows it holds, then adds rows, one
 * transaction each, and says so when it is durable. Kill it whenever you like: at the next start no
 * row that was announced may be missing, and the integrity check must be clean.
 *
 *   sqlite [ROWS [FILE]]     ROWS: how many to add before ending (default 100)
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "sqlite: %s: %s\n", sql, message);
        exit(1);
    }
}

static int print_row(void *unused, int columns, char **values, char **names)
{
    printf("%s\n", values[0]);
    return strcmp(values[0], "ok") != 0;
}

static long number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    long value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW) {
        value = (long)sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return value;
}

int main(int argc, char **argv)
{
    sqlite3 *db;
    long rows = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
    const char *path = argc > 2 ? argv[2] : "/data/test.db";
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        fprintf(stderr, "sqlite: %s: %s\n", path, sqlite3_errmsg(db));
        return 1;
    }
    /* EXTRA: the commit is the journal's removal, and FULL does not wait for that to be on the disk:
     * SQLite's documentation, PRAGMA synchronous. */
    run(db, "PRAGMA synchronous=EXTRA");
    run(db, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, text TEXT, sum INTEGER)");
    printf("integrity: ");
    if (sqlite3_exec(db, "PRAGMA integrity_check", print_row, NULL, NULL) != SQLITE_OK) {
        return 1;
    }
    long have = number(db, "SELECT count(*) FROM t");
    long last = number(db, "SELECT coalesce(max(id), 0) FROM t");
    long wrong = number(db, "SELECT count(*) FROM t WHERE sum != length(text)");
    printf("rows: %ld, last %ld, wrong %ld\n", have, last, wrong);
    for (long i = last + 1; i <= last + rows; i++) {
        char sql[256];
        snprintf(sql, sizeof(sql), "INSERT INTO t VALUES(%ld, hex(randomblob(%ld)), %ld)", i,
                 i % 500 + 1, 2 * (i % 500 + 1));
        run(db, sql);
        printf("durable: %ld\n", i);
    }
    sqlite3_close(db);
    puts("done");
    return 0;
}
