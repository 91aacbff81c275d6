#include "admin/offline/secret.h"

#include <errno.h>
#include <string.h>

static int read_secret(const struct args *args, struct backup_secret *ret)
{
    const char *key = args_get(args, "key-file", NULL);
    const char *phrase = args_get(args, "passphrase-file", NULL);
    struct err err = {0};
    if (key != NULL && phrase != NULL) {
        complain("--key-file and --passphrase-file exclude each other");
        return EXIT_USAGE;
    }
    if (phrase != NULL && strcmp(phrase, "-") == 0) {
        phrase = "/dev/stdin";
    }
    if (backup_secret_read(key != NULL ? key : phrase,
                           key != NULL ? BACKUP_KEY_FILE : BACKUP_KEY_PASSPHRASE, ret, &err) != 0) {
        complain("%s", err.text);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

static bool any_given(const struct args *args)
{
    return args_has(args, "key-file") || args_has(args, "passphrase-file");
}

int secret_for_writing(const struct args *args, struct backup_secret *ret)
{
    memset(ret, 0, sizeof *ret);
    if (args_has(args, "plain") && any_given(args)) {
        complain("--plain and a key exclude each other");
        return EXIT_USAGE;
    }
    if (args_has(args, "plain")) {
        return EXIT_OK;
    }
    if (!any_given(args)) {
        complain("a backup holds every secret of the cluster: give --key-file or "
                 "--passphrase-file, or say --plain");
        return EXIT_USAGE;
    }
    return read_secret(args, ret);
}

int secret_for_reading(const struct args *args, const struct backup_head *head,
                       struct backup_secret *ret)
{
    memset(ret, 0, sizeof *ret);
    if (!any_given(args) && head->key != BACKUP_KEY_NONE) {
        complain("the backup is encrypted: give --%s",
                 head->key == BACKUP_KEY_FILE ? "key-file" : "passphrase-file");
        return EXIT_USAGE;
    }
    return any_given(args) ? read_secret(args, ret) : EXIT_OK;
}

static int read_content(const struct args *args, const char *path, FILE *file,
                        const struct backup_head *head, struct backup_content *ret)
{
    struct backup_secret secret;
    struct err err = {0};
    int rv = secret_for_reading(args, head, &secret);
    if (rv != EXIT_OK) {
        return rv;
    }
    if (backup_read_content(file, head, &secret, ret, &err) != 0) {
        complain("%s: %s", path, err.text);
        rv = EXIT_FAILED;
    }
    backup_secret_wipe(&secret);
    return rv;
}

int secret_open_backup(const struct args *args, const char *path, struct backup_head *ret_head,
                       struct backup_content *ret_content)
{
    FILE *file = fopen(path, "rbe");
    struct err err = {0};
    int rv = EXIT_OK;
    if (file == NULL) {
        complain("%s: %s", path, strerror(errno));
        return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_FAILED;
    }
    if (backup_read_head(file, ret_head, &err) != 0) {
        complain("%s: %s", path, err.text);
        rv = EXIT_FAILED;
    }
    if (rv == EXIT_OK && ret_content != NULL) {
        rv = read_content(args, path, file, ret_head, ret_content);
    }
    (void)fclose(file);
    return rv;
}
