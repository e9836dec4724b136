#include "fault_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* A file of ours is this, with the real one behind it. */
struct file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_vfs shim, *real_vfs;
static long n_calls, fail_at;
static enum fault_kind fail_kind;
static bool fail_for_good;
static void (*hook)(void *ctx);
static void *hook_ctx;

void fault_vfs_arm(long nth, enum fault_kind kind, bool for_good)
{
    n_calls = 0;
    fail_at = nth;
    fail_kind = kind;
    fail_for_good = for_good;
}

long fault_vfs_calls(void)
{
    return n_calls;
}
bool fault_vfs_fired(void)
{
    return fail_at && n_calls >= fail_at;
}

void fault_vfs_hook(void (*before)(void *ctx), void *ctx)
{
    hook = before;
    hook_ctx = ctx;
}

/* SQLITE_OK, or what a full disk or a broken one says. */
static int fault(int io_code)
{
    if (hook)
        hook(hook_ctx);
    n_calls++;
    if (!fail_at || (fail_for_good ? n_calls < fail_at : n_calls != fail_at))
        return SQLITE_OK;
    return fail_kind == FAULT_FULL && io_code != SQLITE_IOERR_DELETE ? SQLITE_FULL : io_code;
}

#define REAL(f) (((struct file *)(f))->real)

static int f_close(sqlite3_file *f)
{
    int rc = REAL(f)->pMethods->xClose(REAL(f));
    sqlite3_free(REAL(f));
    return rc;
}
static int f_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
    return REAL(f)->pMethods->xRead(REAL(f), data, n, at);
}
/* Half of what a failing write was given reaches the file, as on a disk that fills up. */
static int f_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
    int rc = fault(SQLITE_IOERR_WRITE);
    if (rc != SQLITE_OK) {
        REAL(f)->pMethods->xWrite(REAL(f), data, n / 2, at);
        return rc;
    }
    return REAL(f)->pMethods->xWrite(REAL(f), data, n, at);
}
static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = fault(SQLITE_IOERR_TRUNCATE);
    return rc != SQLITE_OK ? rc : REAL(f)->pMethods->xTruncate(REAL(f), size);
}
static int f_sync(sqlite3_file *f, int flags)
{
    (void)f;
    (void)flags;
    return fault(SQLITE_IOERR_FSYNC); /* no power fails here: the page cache is the disk */
}
static int f_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return REAL(f)->pMethods->xFileSize(REAL(f), size);
}
static int f_lock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xLock(REAL(f), level);
}
static int f_unlock(sqlite3_file *f, int level)
{
    return REAL(f)->pMethods->xUnlock(REAL(f), level);
}
static int f_reserved(sqlite3_file *f, int *out)
{
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}
static int f_control(sqlite3_file *f, int op, void *arg)
{
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int f_sector(sqlite3_file *f)
{
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}
static int f_device(sqlite3_file *f)
{
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}
static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, out);
}
static int f_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
    return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}
static void f_shm_barrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}
static int f_shm_unmap(sqlite3_file *f, int remove)
{
    return REAL(f)->pMethods->xShmUnmap(REAL(f), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = f_close,
    .xRead = f_read,
    .xWrite = f_write,
    .xTruncate = f_truncate,
    .xSync = f_sync,
    .xFileSize = f_size,
    .xLock = f_lock,
    .xUnlock = f_unlock,
    .xCheckReservedLock = f_reserved,
    .xFileControl = f_control,
    .xSectorSize = f_sector,
    .xDeviceCharacteristics = f_device,
    .xShmMap = f_shm_map,
    .xShmLock = f_shm_lock,
    .xShmBarrier = f_shm_barrier,
    .xShmUnmap = f_shm_unmap,
};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *file = (struct file *)f;

    (void)vfs;
    file->base.pMethods = NULL;
    file->real = sqlite3_malloc(real_vfs->szOsFile);
    memset(file->real, 0, (size_t)real_vfs->szOsFile);
    int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out);
    if (rc != SQLITE_OK)
        sqlite3_free(file->real);
    else
        file->base.pMethods = &methods;
    return rc;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    int rc = fault(SQLITE_IOERR_DELETE);
    (void)vfs;
    return rc != SQLITE_OK ? rc : real_vfs->xDelete(real_vfs, name, sync);
}

void fault_vfs_install(void)
{
    real_vfs = sqlite3_vfs_find(NULL);
    shim = *real_vfs;
    shim.pNext = NULL;
    shim.zName = "fault";
    shim.szOsFile = (int)sizeof(struct file);
    shim.xOpen = v_open;
    shim.xDelete = v_delete;
    sqlite3_vfs_register(&shim, 1);
}
