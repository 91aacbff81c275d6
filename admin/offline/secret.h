/* admin/offline/secret.h
 *
 * What opens or makes a backup, from the options of a command. */
#ifndef ADMIN_OFFLINE_SECRET_H
#define ADMIN_OFFLINE_SECRET_H

#include "admin/cli.h"
#include "admin/offline/backup.h"

/* Two of the options of every command with backups. */
#define SECRET_OPTIONS                                                                           \
    {"key-file", "FILE", "The key of the backup: 32 bytes or more.", false},                     \
    {                                                                                            \
        "passphrase-file", "FILE", "A passphrase in the first line of FILE (- is stdin).", false \
    }

/* Exactly one of --key-file, --passphrase-file and, where plain_allowed, --plain. An exit code,
 * after saying what is wrong. */
int secret_for_writing(const struct args *args, struct backup_secret *ret);

/* What the head asks for; a plain backup needs nothing. */
int secret_for_reading(const struct args *args, const struct backup_head *head,
                       struct backup_secret *ret);

/* Open FILE, read its head and, with the secret of the options, its content. The caller releases
 * *ret_content. Exit codes as documented. ret_content NULL: the head only. */
int secret_open_backup(const struct args *args, const char *path, struct backup_head *ret_head,
                       struct backup_content *ret_content);

#endif
