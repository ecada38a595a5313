/*
 * An NSS source with many accounts: libnss_many.so.2. user0 to user999999 have the uids from 100000 on, and no
 * account costs more to find than another: in /etc/passwd each would be looked for from the top.
 */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_UID = 100000, PEOPLE = 1000000, GID = 100 };

enum nss_status _nss_many_getpwnam_r(const char *, struct passwd *, char *, size_t, int *);
enum nss_status _nss_many_getpwuid_r(uid_t, struct passwd *, char *, size_t, int *);
enum nss_status _nss_many_initgroups_dyn(const char *, gid_t, long *, long *, gid_t **, long, int *);

static enum nss_status absent(int *error)
{
	*error = ENOENT;
	return NSS_STATUS_NOTFOUND;
}

static enum nss_status fill(unsigned long index, struct passwd *entry, char *buffer, size_t size, int *error)
{
	static char nothing[] = "x";
	static char nowhere[] = "/nonexistent";
	int length = snprintf(buffer, size, "user%lu", index);

	if (length < 0 || (size_t)length >= size) {
		*error = ERANGE;
		return NSS_STATUS_TRYAGAIN;
	}
	entry->pw_name = buffer;
	entry->pw_passwd = nothing;
	entry->pw_uid = (uid_t)(FIRST_UID + index);
	entry->pw_gid = GID;
	entry->pw_gecos = nothing;
	entry->pw_dir = nowhere;
	entry->pw_shell = nowhere;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_many_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, int *error)
{
	char *end = NULL;
	unsigned long index;

	if (strncmp(name, "user", 4) != 0 || name[4] < '0' || name[4] > '9')
		return absent(error);
	index = strtoul(name + 4, &end, 10);
	if (*end != '\0' || index >= PEOPLE)
		return absent(error);
	return fill(index, entry, buffer, size, error);
}

enum nss_status _nss_many_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, int *error)
{
	if (uid < FIRST_UID || uid - FIRST_UID >= PEOPLE)
		return absent(error);
	return fill(uid - FIRST_UID, entry, buffer, size, error);
}

/* Nobody is in more than the one group. */
enum nss_status _nss_many_initgroups_dyn(const char *name, gid_t gid, long *start, long *size, gid_t **groups,
					 long limit, int *error)
{
	(void)name;
	(void)gid;
	(void)start;
	(void)size;
	(void)groups;
	(void)limit;
	return absent(error);
}
