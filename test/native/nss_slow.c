/*
 * An NSS source that misbehaves on demand: libnss_slow.so.2.
 *
 * The file MODE_FILE says how, in one line:
 *   ok | slow MILLISECONDS | hang | unavail | tryagain | gone
 *   no-socket      unavailable, with the errno of a missing socket (ENOENT), as a stopped directory client says
 *   no-initgroups  accounts and groups are answered; the groups of an account are not
 *
 * It knows the account remote-anna (uid 4242, primary group remote-staff 4243), the group remote-ops (4244) that
 * lists her, and remote-big (4245) that lists nobody though she is in it. It also puts local-ben, an account of
 * /etc/passwd, into the group 4300 of /etc/group, as directories do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef MODE_FILE
#define MODE_FILE "/run/nss-slow-mode"
#endif

enum question { ENTRY, INITGROUPS };

enum nss_status _nss_slow_getpwnam_r(const char *, struct passwd *, char *, size_t, int *);
enum nss_status _nss_slow_getpwuid_r(uid_t, struct passwd *, char *, size_t, int *);
enum nss_status _nss_slow_getgrnam_r(const char *, struct group *, char *, size_t, int *);
enum nss_status _nss_slow_getgrgid_r(gid_t, struct group *, char *, size_t, int *);
enum nss_status _nss_slow_initgroups_dyn(const char *, gid_t, long *, long *, gid_t **, long, int *);

static void wait_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) != 0)
		;
}

/* SUCCESS: go on and answer. */
static enum nss_status behave(enum question question, int *error)
{
	char mode[32] = "ok";
	long ms = 0;
	FILE *file = fopen(MODE_FILE, "re");

	if (file != NULL) {
		if (fscanf(file, "%31s %ld", mode, &ms) < 1)
			strcpy(mode, "ok");
		fclose(file);
	}
	if (strcmp(mode, "slow") == 0)
		wait_ms(ms);
	while (strcmp(mode, "hang") == 0)
		pause();
	*error = ECONNREFUSED;
	if (strcmp(mode, "unavail") == 0 || (strcmp(mode, "no-initgroups") == 0 && question == INITGROUPS))
		return NSS_STATUS_UNAVAIL;
	*error = ENOENT;
	if (strcmp(mode, "no-socket") == 0)
		return NSS_STATUS_UNAVAIL;
	if (strcmp(mode, "gone") == 0)
		return NSS_STATUS_NOTFOUND;
	*error = EAGAIN;
	if (strcmp(mode, "tryagain") == 0)
		return NSS_STATUS_TRYAGAIN;
	*error = 0;
	return NSS_STATUS_SUCCESS;
}

static enum nss_status not_found(int *error)
{
	*error = ENOENT;
	return NSS_STATUS_NOTFOUND;
}

/* Wants a few kilobytes, so that callers have to bring a larger buffer. */
static enum nss_status too_small(int *error)
{
	*error = ERANGE;
	return NSS_STATUS_TRYAGAIN;
}

static const size_t wanted_room = 6000;

static enum nss_status fill_passwd(struct passwd *entry, char *buffer, size_t size, int *error)
{
	static char none[] = "x", home[] = "/nonexistent", shell[] = "/bin/sh", gecos[] = "Anna";

	if (size < wanted_room)
		return too_small(error);
	strcpy(buffer, "remote-anna");
	*entry = (struct passwd){ .pw_name = buffer, .pw_passwd = none, .pw_uid = 4242, .pw_gid = 4243,
				  .pw_gecos = gecos, .pw_dir = home, .pw_shell = shell };
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_slow_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, int *error)
{
	enum nss_status status = behave(ENTRY, error);

	if (status != NSS_STATUS_SUCCESS)
		return status;
	return strcmp(name, "remote-anna") == 0 ? fill_passwd(entry, buffer, size, error) : not_found(error);
}

enum nss_status _nss_slow_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, int *error)
{
	enum nss_status status = behave(ENTRY, error);

	if (status != NSS_STATUS_SUCCESS)
		return status;
	return uid == 4242 ? fill_passwd(entry, buffer, size, error) : not_found(error);
}

static const struct known_group {
	const char *name;
	gid_t gid;
	int lists_anna;
} known_groups[] = { { "remote-staff", 4243, 0 }, { "remote-ops", 4244, 1 }, { "remote-big", 4245, 0 } };

static enum nss_status fill_group(const struct known_group *known, struct group *entry, char *buffer, size_t size,
				  int *error)
{
	static char none[] = "x";
	char **members = (char **)(void *)buffer;
	char *text = buffer + 2 * sizeof(char *);
	size_t misplaced = (uintptr_t)buffer % sizeof(char *);

	if (size < wanted_room || misplaced != 0)
		return too_small(error);
	strcpy(text, known->name);
	strcpy(text + 64, "remote-anna");
	members[0] = known->lists_anna ? text + 64 : NULL;
	members[1] = NULL;
	*entry = (struct group){ .gr_name = text, .gr_passwd = none, .gr_gid = known->gid, .gr_mem = members };
	return NSS_STATUS_SUCCESS;
}

static enum nss_status find_group(const char *name, gid_t gid, struct group *entry, char *buffer, size_t size,
				  int *error)
{
	enum nss_status status = behave(ENTRY, error);

	if (status != NSS_STATUS_SUCCESS)
		return status;
	for (size_t i = 0; i < sizeof known_groups / sizeof *known_groups; i++) {
		const struct known_group *known = &known_groups[i];

		if (name != NULL ? strcmp(name, known->name) == 0 : gid == known->gid)
			return fill_group(known, entry, buffer, size, error);
	}
	return not_found(error);
}

enum nss_status _nss_slow_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, int *error)
{
	return find_group(name, 0, entry, buffer, size, error);
}

enum nss_status _nss_slow_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size, int *error)
{
	return find_group(NULL, gid, entry, buffer, size, error);
}

static enum nss_status add_group(gid_t gid, long *count, long *size, gid_t **groups, int *error)
{
	if (*count == *size) {
		gid_t *larger = realloc(*groups, (size_t)*size * 2 * sizeof(gid_t));

		if (larger == NULL) {
			*error = ENOMEM;
			return NSS_STATUS_TRYAGAIN;
		}
		*groups = larger;
		*size *= 2;
	}
	(*groups)[(*count)++] = gid;
	return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_slow_initgroups_dyn(const char *name, gid_t primary, long *count, long *size, gid_t **groups,
					 long limit, int *error)
{
	enum nss_status status = behave(INITGROUPS, error);

	(void)primary;
	(void)limit;
	if (status != NSS_STATUS_SUCCESS)
		return status;
	if (strcmp(name, "local-ben") == 0)
		return add_group(4300, count, size, groups, error);
	if (strcmp(name, "remote-anna") != 0)
		return not_found(error);
	status = add_group(4244, count, size, groups, error);
	return status == NSS_STATUS_SUCCESS ? add_group(4245, count, size, groups, error) : status;
}
