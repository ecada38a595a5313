/* In place of send(2), where --wrap=send says so: it takes a part of what it is given, or nothing for now. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

ssize_t __real_send(int descriptor, const void *bytes, size_t length, int flags);
ssize_t __wrap_send(int descriptor, const void *bytes, size_t length, int flags);

ssize_t __wrap_send(int descriptor, const void *bytes, size_t length, int flags)
{
	static unsigned int state = 1;

	state = state * 1103515245U + 12345U;
	unsigned int random = state >> 16;

	if (random % 3 == 0) {
		errno = EAGAIN;
		return -1;
	}
	size_t most = random % 7 == 0 || length < 3 ? length : 3;

	if (length > 0)
		length = 1 + random % most;
	return __real_send(descriptor, bytes, length, flags);
}
