#include "admin/offline/place.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Is DIR + rest there? Then it is in ret. */
static bool there(const char *dir, const char *rest, char ret[PLACE_PATH_MAX])
{
    struct stat st;
    int n = snprintf(ret, PLACE_PATH_MAX, "%s%s", dir, rest);
    return n > 0 && n < PLACE_PATH_MAX && stat(ret, &st) == 0;
}

int place_log(const char *dir, char ret[PLACE_PATH_MAX], struct err *err)
{
    if (there(dir, "/log", ret) || there(dir, "", ret)) {
        return 0;
    }
    return err_set(err, ERR_NOTFOUND, "%s: %s", dir, strerror(errno));
}

int place_checkpoint(const char *path, char ret[PLACE_PATH_MAX], struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return err_set(err, ERR_NOTFOUND, "%s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        return there(path, "", ret) ? 0 : err_set(err, ERR_TOOBIG, "%s: name too long", path);
    }
    if (there(path, "/state/checkpoint.db", ret) || there(path, "/checkpoint.db", ret)) {
        return 0;
    }
    return err_set(err, ERR_NOTFOUND, "%s: neither state/checkpoint.db nor checkpoint.db is there",
                   path);
}
