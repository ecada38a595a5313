/*
 * A PAM application for tests: one authentication, its conversation answered from the command line.
 *
 *   pam_app [--confdir DIR] [--tty T] [--rhost H] [--ruser U] [--env NAME=VALUE] [--same TEXT]
 *           SERVICE USER [ANSWER...]
 *
 * --same answers every prompt with one string, as many programs with a single field do. Without it
 * the answers are used in order; a prompt without an answer fails the conversation.
 * Prints a line for each message and one for each PAM call: "authenticate 7 Authentication failure".
 * The exit status is the code of pam_authenticate, or of pam_setcred where that one fails.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answers {
	const char *same;
	char **next;
	int prompts;
};

static const char *next_answer(struct answers *a)
{
	a->prompts++;
	if (a->prompts > 100)
		return NULL;
	if (a->same != NULL)
		return a->same;
	return *a->next == NULL ? NULL : *a->next++;
}

static int converse(int count, const struct pam_message **messages, struct pam_response **out, void *data)
{
	struct pam_response *responses = calloc((size_t)count, sizeof(*responses));

	if (responses == NULL)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++) {
		const int style = messages[i]->msg_style;
		const char *answer;

		if (style == PAM_TEXT_INFO || style == PAM_ERROR_MSG) {
			printf("%s: %s\n", style == PAM_TEXT_INFO ? "info" : "error", messages[i]->msg);
			continue;
		}
		printf("prompt: %s\n", messages[i]->msg);
		answer = next_answer(data);
		if (answer == NULL) {
			for (int j = 0; j < i; j++)
				free(responses[j].resp);
			free(responses);
			return PAM_CONV_ERR;
		}
		responses[i].resp = strdup(answer);
	}
	fflush(stdout);
	*out = responses;
	return PAM_SUCCESS;
}

static int report(const char *what, pam_handle_t *pamh, int code)
{
	printf("%s %d %s\n", what, code, pam_strerror(pamh, code));
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"confdir", required_argument, NULL, 'c'}, {"tty", required_argument, NULL, 't'},
		{"rhost", required_argument, NULL, 'h'},   {"ruser", required_argument, NULL, 'r'},
		{"env", required_argument, NULL, 'e'},     {"same", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0}};
	struct answers answers = {0};
	struct pam_conv conv = {converse, &answers};
	const char *confdir = NULL, *tty = NULL, *rhost = NULL, *ruser = NULL, *env = NULL;
	pam_handle_t *pamh = NULL;
	int code, option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (option) {
		case 'c': confdir = optarg; break;
		case 't': tty = optarg; break;
		case 'h': rhost = optarg; break;
		case 'r': ruser = optarg; break;
		case 'e': env = optarg; break;
		case 's': answers.same = optarg; break;
		default: return 100;
		}
	}
	if (argc - optind < 2)
		return 100;
	answers.next = argv + optind + 2;
	if (pam_start_confdir(argv[optind], argv[optind + 1], &conv, confdir, &pamh) != PAM_SUCCESS)
		return 101;
	if ((tty != NULL && pam_set_item(pamh, PAM_TTY, tty) != PAM_SUCCESS) ||
	    (rhost != NULL && pam_set_item(pamh, PAM_RHOST, rhost) != PAM_SUCCESS) ||
	    (ruser != NULL && pam_set_item(pamh, PAM_RUSER, ruser) != PAM_SUCCESS) ||
	    (env != NULL && pam_putenv(pamh, env) != PAM_SUCCESS))
		return 102;
	code = report("authenticate", pamh, pam_authenticate(pamh, 0));
	if (code == PAM_SUCCESS)
		code = report("setcred", pamh, pam_setcred(pamh, PAM_ESTABLISH_CRED));
	pam_end(pamh, code);
	return code;
}
