/* LD_PRELOAD: a write to a regular file takes 30 ms, as on a slow disk. Sockets and pipes are as fast as ever. */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

ssize_t write(int descriptor, const void *data, size_t size) {
    struct stat about;
    struct timespec pause = {0, 30 * 1000 * 1000};
    if (fstat(descriptor, &about) == 0 && S_ISREG(about.st_mode)) nanosleep(&pause, 0);
    return syscall(SYS_write, descriptor, data, size);
}
