/*
 * A PAM module for tests of what a stack can want: docs/reference/protocol.md, "The password helper".
 *
 *   prompts=N     asks so often, one after the other (1)
 *   together      all of them in one call of the conversation
 *   style=N       of the prompts, as a number (1, PAM_PROMPT_ECHO_OFF)
 *   text          sends a text and an error before each prompt
 *   password=P    PAM_AUTH_ERR unless every answer is P
 *   auth=N        what it ends with (0)
 *   account=N     the same of the account part (0)
 *   account_asks  the account part asks too
 *   user=NAME     takes the account for this one
 *   delay         asks libpam for a delay of 2000 s
 *   hang          never comes back
 *   say=FILE      writes what it finds around itself
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <security/pam_ext.h>
#include <security/pam_modules.h>

static const char *option(int argc, const char **argv, const char *name)
{
	size_t length = strlen(name);

	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], name, length) == 0 && (argv[i][length] == '=' || argv[i][length] == '\0'))
			return argv[i] + length + (argv[i][length] == '=');
	}
	return NULL;
}

static int number(int argc, const char **argv, const char *name, int usual)
{
	const char *value = option(argc, argv, name);

	return value == NULL ? usual : atoi(value);
}

static const char *item(pam_handle_t *pamh, int which)
{
	const void *value = NULL;

	return pam_get_item(pamh, which, &value) != PAM_SUCCESS || value == NULL ? "-" : value;
}

static void say(pam_handle_t *pamh, int flags, const char *path)
{
	FILE *file = fopen(path, "w");
	struct rlimit core;
	DIR *directory = opendir("/proc/self/fd");
	mode_t mask = umask(0);

	if (file == NULL || directory == NULL)
		return;
	getrlimit(RLIMIT_CORE, &core);
	fprintf(file, "service %s\nuser %s\nrhost %s\ntty %s\nruser %s\nflags %x\n", item(pamh, PAM_SERVICE),
		item(pamh, PAM_USER), item(pamh, PAM_RHOST), item(pamh, PAM_TTY), item(pamh, PAM_RUSER), flags);
	fprintf(file, "core %lu %lu\ndumpable %d\nprivileges %d\numask %o\nalarm %u\n", (unsigned long)core.rlim_cur,
		(unsigned long)core.rlim_max, prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), mask,
		alarm(30));
	for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
		fprintf(file, "env %s\n", *variable);
	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
		int fd = atoi(entry->d_name);

		if (fd != dirfd(directory) && fd != fileno(file) && entry->d_name[0] != '.')
			fprintf(file, "fd %d\n", fd);
	}
	closedir(directory);
	fclose(file);
	umask(mask);
}

static int ask_once(pam_handle_t *pamh, int count, int argc, const char **argv)
{
	const struct pam_conv *conv = NULL;
	struct pam_message messages[40] = {{0}};
	const struct pam_message *pointers[40];
	struct pam_response *answers = NULL;
	const char *password = option(argc, argv, "password");
	int code;

	for (int i = 0; i < count; i++) {
		messages[i].msg_style = number(argc, argv, "style", PAM_PROMPT_ECHO_OFF);
		messages[i].msg = "Password: ";
		pointers[i] = &messages[i];
	}
	if (pam_get_item(pamh, PAM_CONV, (const void **)&conv) != PAM_SUCCESS || conv == NULL)
		return PAM_SYSTEM_ERR;
	code = conv->conv(count, pointers, &answers, conv->appdata_ptr);
	if (code == PAM_SUCCESS && answers == NULL)
		code = PAM_CONV_ERR;
	for (int i = 0; code == PAM_SUCCESS && i < count; i++) {
		if (password != NULL && (answers[i].resp == NULL || strcmp(answers[i].resp, password) != 0))
			code = PAM_AUTH_ERR;
	}
	for (int i = 0; answers != NULL && i < count; i++)
		free(answers[i].resp);
	free(answers);
	return code;
}

/* What the conversation says is passed over: the worst that a stack can do. */
static int ask_all(pam_handle_t *pamh, int argc, const char **argv)
{
	int prompts = number(argc, argv, "prompts", 1);
	int together = option(argc, argv, "together") != NULL;
	int worst = PAM_SUCCESS;

	for (int i = 0; i < (together ? 1 : prompts); i++) {
		int code;

		if (option(argc, argv, "text") != NULL) {
			pam_info(pamh, "a text");
			pam_error(pamh, "an error");
		}
		code = ask_once(pamh, together ? prompts : 1, argc, argv);
		if (code == PAM_AUTH_ERR)
			worst = code;
	}
	return worst;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const char *path = option(argc, argv, "say");
	const char *user = option(argc, argv, "user");
	int code;

	if (path != NULL)
		say(pamh, flags, path);
	if (option(argc, argv, "delay") != NULL)
		pam_fail_delay(pamh, 2000000000);
	code = ask_all(pamh, argc, argv);
	while (option(argc, argv, "hang") != NULL)
		pause();
	if (user != NULL)
		pam_set_item(pamh, PAM_USER, user);
	return code == PAM_SUCCESS ? number(argc, argv, "auth", PAM_SUCCESS) : code;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)pamh, (void)flags, (void)argc, (void)argv;
	return PAM_SUCCESS;
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	(void)flags;
	if (option(argc, argv, "account_asks") != NULL)
		(void)ask_once(pamh, 1, argc, argv);
	return number(argc, argv, "account", PAM_SUCCESS);
}
