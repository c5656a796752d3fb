/* `bulkhead app`: hands over to the application tool. */
#ifndef TOOLS_BULKHEAD_APP_H
#define TOOLS_BULKHEAD_APP_H

/**
 * Run tools/app/app.py with the arguments after "app": from $BULKHEAD_APP if set, else from the
 * source tree this program was built in, else from libexec. Returns only if it cannot (said
 * on stderr).
 */
void app_exec(char **argv);

#endif
