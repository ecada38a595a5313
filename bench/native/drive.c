/*
 * The one driver of the benchmark: CLIENTS processes, each with an account and a list of codes of its
 * own, go through pam_start, pam_authenticate and pam_end, one login after the other, all beginning at
 * the same moment.
 *
 *   drive CONFDIR SERVICE PLANFILE [NAME=VALUE ...]
 *
 * Each NAME=VALUE is put into the environment of PAM.
 * A line of PLANFILE is one client: USER CODE CODE ... ; prints one line a login:
 *   CLIENT START_NS END_NS PAM_RESULT
 */
#include <errno.h>
#include <security/pam_appl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_CLIENTS = 256 };

struct client {
    const char *user;
    char **codes;
    size_t count;
    struct login *logins;
};

struct login {
    int64_t start;
    int64_t end;
    int result;
};

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int answer(int count, const struct pam_message **messages, struct pam_response **responses, void *data) {
    struct pam_response *made = calloc((size_t)count, sizeof *made);
    if (made == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < count; i++) {
        if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF || messages[i]->msg_style == PAM_PROMPT_ECHO_ON)
            made[i].resp = strdup(data);
    }
    *responses = made;
    return PAM_SUCCESS;
}

static int log_in(char **argv, const char *user, char *code) {
    const struct pam_conv conversation = {answer, code};
    pam_handle_t *handle = NULL;
    int result = pam_start_confdir(argv[2], user, &conversation, argv[1], &handle);
    if (result != PAM_SUCCESS)
        return result;
    for (char **variable = argv + 4; *variable != NULL && result == PAM_SUCCESS; variable++)
        result = pam_putenv(handle, *variable);
    if (result == PAM_SUCCESS)
        result = pam_authenticate(handle, 0);
    pam_end(handle, result);
    return result;
}

/* Waits for the start shot: the parent closes its end of the pipe. */
static void work(const struct client *client, char **argv, const int shot[2]) {
    char nothing;
    close(shot[1]);
    while (read(shot[0], &nothing, 1) < 0 && errno == EINTR)
        continue;
    for (size_t i = 0; i < client->count; i++) {
        struct login *login = &client->logins[i];
        login->start = now();
        login->result = log_in(argv, client->user, client->codes[i]);
        login->end = now();
    }
}

static int read_plan(const char *path, struct client *clients, size_t *count) {
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    if (file == NULL)
        return -1;
    while (*count < MOST_CLIENTS && getline(&line, &size, file) > 0) {
        struct client *client = &clients[*count];
        char *rest = line;
        const char *user = strsep(&rest, " \n");
        client->user = strdup(user);
        client->codes = calloc(strlen(line) + (rest == NULL ? 0 : strlen(rest)) + 1, sizeof *client->codes);
        for (char *code = strsep(&rest, " \n"); code != NULL; code = strsep(&rest, " \n")) {
            if (*code != '\0')
                client->codes[client->count++] = strdup(code);
        }
        const size_t bytes = (client->count + 1) * sizeof *client->logins;
        client->logins = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (client->logins == MAP_FAILED)
            return -1;
        (*count)++;
    }
    free(line);
    fclose(file);
    return 0;
}

static void report(const struct client *clients, size_t count) {
    for (size_t c = 0; c < count; c++) {
        for (size_t i = 0; i < clients[c].count; i++) {
            const struct login *login = &clients[c].logins[i];
            printf("%zu %lld %lld %d\n", c, (long long)login->start, (long long)login->end, login->result);
        }
    }
}

int main(int argc, char **argv) {
    static struct client clients[MOST_CLIENTS];
    size_t count = 0;
    int shot[2];
    if (argc < 4 || read_plan(argv[3], clients, &count) != 0 || pipe(shot) != 0) {
        fprintf(stderr, "usage: drive CONFDIR SERVICE PLANFILE [NAME=VALUE ...]\n");
        return 2;
    }
    for (size_t c = 0; c < count; c++) {
        const pid_t child = fork();
        if (child < 0)
            return 1;
        if (child == 0) {
            work(&clients[c], argv, shot);
            _exit(0);
        }
    }
    close(shot[0]);
    close(shot[1]);
    while (wait(NULL) > 0 || errno == EINTR)
        continue;
    report(clients, count);
    return 0;
}
