/* What the unix VFS of SQLite promises, over struct disk: the first sync of a new journal or WAL
 * syncs the directory too; sectors that are not written to are never harmed. Locks are left out:
 * there is one connection. */
#include "tests/lib/simvfs.h"

#include "controller/raftio/disk.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define VFS_NAME    "simdisk"
#define REGIONS_MAX 16

struct sim_file {
    sqlite3_file base;
    void *file;
    bool sync_name; /* The name is not durable and must be with the first sync. */
    bool delete_on_close;
    char name[DISK_NAME_MAX];
    void *regions[REGIONS_MAX]; /* The WAL's index; memory of this process. */
};

static struct simdisk *the_disk;

static const struct disk *disk(void)
{
    return simdisk_disk(the_disk);
}

static struct sim_file *file_of(sqlite3_file *f)
{
    return (struct sim_file *)f;
}

static int file_size(struct sim_file *f, uint64_t *ret)
{
    return disk()->size(disk()->ctx, f->file, ret, NULL) == 0 ? SQLITE_OK : SQLITE_IOERR_FSTAT;
}

static int vfs_read(sqlite3_file *file, void *to, int n, sqlite3_int64 offset)
{
    struct sim_file *f = file_of(file);
    uint64_t size;
    size_t there;
    int rv = file_size(f, &size);
    if (rv != SQLITE_OK) {
        return rv;
    }
    there = (uint64_t)offset >= size              ? 0
            : size - (uint64_t)offset < (size_t)n ? (size_t)(size - (uint64_t)offset)
                                                  : (size_t)n;
    memset(to, 0, (size_t)n);
    if (there > 0 && disk()->pread(disk()->ctx, f->file, (uint64_t)offset, to, there, NULL) != 0) {
        return SQLITE_IOERR_READ;
    }
    return there == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 offset)
{
    return disk()->pwrite(disk()->ctx, file_of(file)->file, (uint64_t)offset, from, (size_t)n,
                          NULL) == 0
               ? SQLITE_OK
               : SQLITE_IOERR_WRITE;
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return simdisk_truncate(the_disk, file_of(file)->file, (uint64_t)size) == 0
               ? SQLITE_OK
               : SQLITE_IOERR_TRUNCATE;
}

static int vfs_sync(sqlite3_file *file, int flags)
{
    struct sim_file *f = file_of(file);
    (void)flags;
    if (disk()->sync(disk()->ctx, f->file, NULL) != 0) {
        return SQLITE_IOERR_FSYNC;
    }
    if (f->sync_name && disk()->sync_dir(disk()->ctx, NULL) != 0) {
        return SQLITE_IOERR_DIR_FSYNC;
    }
    f->sync_name = false;
    return SQLITE_OK;
}

static int vfs_file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    uint64_t size = 0;
    int rv = file_size(file_of(file), &size);
    *ret = (sqlite3_int64)size;
    return rv;
}

static int vfs_lock(sqlite3_file *file, int level)
{
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int vfs_check_reserved(sqlite3_file *file, int *ret)
{
    (void)file;
    *ret = 0;
    return SQLITE_OK;
}

static int vfs_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int vfs_sector_size(sqlite3_file *file)
{
    (void)file;
    return 512;
}

static int vfs_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int vfs_shm_map(sqlite3_file *file, int i, int size, int extend, void volatile **ret)
{
    struct sim_file *f = file_of(file);
    assert(i < REGIONS_MAX);
    if (f->regions[i] == NULL && extend) {
        f->regions[i] = calloc(1, (size_t)size);
    }
    *ret = f->regions[i];
    return SQLITE_OK;
}

static int vfs_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    (void)file;
    (void)offset;
    (void)n;
    (void)flags;
    return SQLITE_OK;
}

static void vfs_shm_barrier(sqlite3_file *file)
{
    (void)file;
}

static int vfs_shm_unmap(sqlite3_file *file, int delete_it)
{
    struct sim_file *f = file_of(file);
    (void)delete_it;
    for (int i = 0; i < REGIONS_MAX; i++) {
        free(f->regions[i]);
        f->regions[i] = NULL;
    }
    return SQLITE_OK;
}

static int vfs_close(sqlite3_file *file)
{
    struct sim_file *f = file_of(file);
    (void)vfs_shm_unmap(file, 0);
    disk()->close(disk()->ctx, f->file);
    if (f->delete_on_close) {
        (void)disk()->unlink(disk()->ctx, f->name, NULL);
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_file_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_lock,
    .xCheckReservedLock = vfs_check_reserved,
    .xFileControl = vfs_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_characteristics,
    .xShmMap = vfs_shm_map,
    .xShmLock = vfs_shm_lock,
    .xShmBarrier = vfs_shm_barrier,
    .xShmUnmap = vfs_shm_unmap,
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool there_is(const char *name)
{
    void *file;
    if (disk()->open(disk()->ctx, name, false, &file, NULL) != 0) {
        return false;
    }
    disk()->close(disk()->ctx, file);
    return true;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    struct sim_file *f = file_of(file);
    int journal = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    bool create = (flags & SQLITE_OPEN_CREATE) != 0;
    (void)vfs;
    memset(f, 0, sizeof *f);
    strncpy(f->name, path == NULL ? "temporary" : base_name(path), sizeof f->name - 1);
    f->sync_name = create && (flags & journal) != 0 && !there_is(f->name);
    f->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    if (disk()->open(disk()->ctx, f->name, create, &f->file, NULL) != 0) {
        return SQLITE_CANTOPEN;
    }
    f->base.pMethods = &methods;
    if (ret_flags != NULL) {
        *ret_flags = flags;
    }
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    const char *name = base_name(path);
    (void)vfs;
    if (!there_is(name)) {
        return SQLITE_IOERR_DELETE_NOENT;
    }
    if (disk()->unlink(disk()->ctx, name, NULL) != 0) {
        return SQLITE_IOERR_DELETE;
    }
    return !sync_dir || disk()->sync_dir(disk()->ctx, NULL) == 0 ? SQLITE_OK
                                                                 : SQLITE_IOERR_DIR_FSYNC;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
    (void)vfs;
    (void)flags;
    *ret = there_is(base_name(path));
    return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *to)
{
    (void)vfs;
    sqlite3_snprintf(size, to, "%s", path);
    return SQLITE_OK;
}

void simvfs_use(struct simdisk *d)
{
    static sqlite3_vfs vfs;
    sqlite3_vfs *real = sqlite3_vfs_find("unix");
    the_disk = d;
    if (vfs.zName == NULL) {
        vfs = *real; /* Time and chance are the real ones. */
        vfs.iVersion = 2;
        vfs.szOsFile = sizeof(struct sim_file);
        vfs.pNext = NULL;
        vfs.zName = VFS_NAME;
        vfs.xOpen = vfs_open;
        vfs.xDelete = vfs_delete;
        vfs.xAccess = vfs_access;
        vfs.xFullPathname = vfs_full_path;
    }
    (void)sqlite3_vfs_register(d == NULL ? real : &vfs, 1);
}
