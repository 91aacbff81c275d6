/* controller/storage/bigfile.h
 *
 * Large files on a disk that a log lives on as well. What is written to the disk or given back to
 * it in one go (fsync of a received checkpoint, the last close of one that has been replaced) makes
 * everybody's next fsync wait for all of it, in ext4 through the journal that they share: for half
 * a second with 440 MB. These do the same in slices, and rest as long as each one took, so that
 * others get half of the disk. They block: for the storage thread only.
 */
#ifndef CONTROLLER_STORAGE_BIGFILE_H
#define CONTROLLER_STORAGE_BIGFILE_H

#include "common/base/err.h"

#include <stdint.h>

#define BIGFILE_SLICE ((uint64_t)4 * 1048576) /* Bytes: some ms of a disk. */

/* Send what is in the page cache to the disk. Not a replacement for fsync, which has little to do
 * afterwards. A file system that can not do it slice by slice is left to that fsync: 0. Else
 * ERR_IO. */
int bigfile_write_out(int fd, uint64_t size, struct err *err);

/* Give back the blocks of a file that nobody needs any more, and close it. Needs to be open for
 * writing. What can not be given back slice by slice, the close gives back. */
void bigfile_discard(int fd);

#endif
