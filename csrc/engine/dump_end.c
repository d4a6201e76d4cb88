/* dump_end.c - where in a file that is being written its last whole packet ends.
 *
 * libwiretap counts the bytes of plain packets right, but not those of pseudo headers in pcap files, of verdicts, and of
 * records that are no packets (4.0.17). After such an odd one, and after WP_DUMP_ENDS packets, what it has buffered is
 * flushed, and the count is set to where the file really is. Of a compressed file only a flush tells where it is, and each
 * costs some compression: they come every 4 MiB, and the file ends with the last of them. */
#include "dump_end.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ws_compat.h"

enum { COMPRESSED_STEP = 4 << 20 };

void
wp_dump_end_init(wp_dump_end *end, int fd, bool compressed)
{
    struct stat status;
    end->seekable = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    end->compressed = compressed;
    if (end->seekable) {
        end->start = end->flushed = lseek(fd, 0, SEEK_CUR);
    }
}

int
wp_dump_end_flush(wp_dump_end *end, void *dumper, int fd, uint64_t packets)
{
    int code = 0;
    if (!wtap_dump_flush(dumper, &code)) {
        return code == 0 ? EIO : code;
    }
    end->odd = false;
    end->count = 0;
    end->packets = packets;
    if (end->seekable) {
        end->flushed = lseek(fd, 0, SEEK_CUR);
        wtap_set_bytes_dumped(dumper, end->compressed ? 0 : end->flushed);
    }
    return 0;
}

int
wp_dump_end_record(wp_dump_end *end, void *dumper, int fd, uint64_t packets)
{
    if (!end->seekable) {
        return 0;
    }
    const int64_t at = wtap_get_bytes_dumped(dumper);
    if (end->compressed) {
        return at < COMPRESSED_STEP ? 0 : wp_dump_end_flush(end, dumper, fd, packets);
    }
    if (end->odd || end->count == WP_DUMP_ENDS) {
        return wp_dump_end_flush(end, dumper, fd, packets);
    }
    end->ends[end->count++] = at;
    return 0;
}

int
wp_dump_end_reason(const wp_dump_end *end, int fd, int code)
{
    if (code == WTAP_ERR_SHORT_WRITE && end->seekable && lseek(fd, 0, SEEK_END) >= 0 && write(fd, "", 1) < 0) {
        return errno;
    }
    return code;
}

uint64_t
wp_dump_end_mend(wp_dump_end *end, int fd)
{
    struct stat status;
    if (!end->seekable || fstat(fd, &status) != 0) {
        return end->packets;
    }
    int64_t keep = end->flushed;
    uint64_t packets = end->packets;
    for (unsigned i = 0; i < end->count && end->ends[i] <= status.st_size; i++) {
        keep = end->ends[i];
        packets++;
    }
    if (ftruncate(fd, keep) == 0) {
        lseek(fd, keep, SEEK_SET);
    }
    return packets;
}
