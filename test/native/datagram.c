/*
 * datagram ADDRESS: binds a Unix datagram socket (a path, or @name for an abstract one), says "ready", waits for
 * one message and prints the sender's pid, a blank and the message.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int bind_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	int on = 1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || length >= sizeof address.sun_path)
		return -1;
	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
		return -1;
	if (bind(fd, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) != 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	char text[4096];
	union {
		char room[CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec part = { text, sizeof text };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
				  .msg_controllen = sizeof control.room };
	struct ucred sender = { 0 };
	int fd = argc == 2 ? bind_to(argv[1]) : -1;

	if (fd < 0) {
		perror("datagram");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	ssize_t length = recvmsg(fd, &message, 0);

	if (length < 0 || CMSG_FIRSTHDR(&message) == NULL)
		return 1;
	memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof sender);
	printf("%d %.*s\n", (int)sender.pid, (int)length, text);
	return 0;
}
