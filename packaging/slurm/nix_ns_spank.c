/*
 * A SPANK plugin: opens a PAM session for every task of a job, in the task's own
 * process, in the namespace that the task will run in.
 *
 * For sites whose jobs get a mount namespace of their own (JobContainerType= or
 * NamespaceType=). There the session that slurmstepd opens with UsePAM=1 comes
 * too early: the task leaves its namespace for the job's. It even keeps jobs
 * from starting, as the kernel does not copy the file that Slurm keeps the job's
 * namespace by into any other namespace (copy_tree in fs/namespace.c).
 *
 * The service is `slurm-task`; its stack is beside this file.
 */

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <security/pam_appl.h>
#include <slurm/spank.h>

SPANK_PLUGIN(nix_ns, 1);

static const char SERVICE[] = "slurm-task";
/* Longer than any entry of the account database. */
enum { ENTRY = 65536 };

/* Nobody is there to be asked. */
static int say_nothing(int count, const struct pam_message **messages,
                       struct pam_response **responses, void *unused)
{
    (void)count;
    (void)messages;
    (void)responses;
    (void)unused;
    return PAM_CONV_ERR;
}

/* What the job has already is what its user wants. */
static void add_environment(spank_t spank, pam_handle_t *pam)
{
    char **list = pam_getenvlist(pam);

    if (list == NULL)
        return;
    for (char **entry = list; *entry != NULL; entry++) {
        char *value = strchr(*entry, '=');

        if (value != NULL) {
            *value++ = '\0';
            (void)spank_setenv(spank, *entry, value, 0);
        }
        free(*entry);
    }
    free(list);
}

static int open_session(spank_t spank, const char *user)
{
    static const struct pam_conv conversation = { say_nothing, NULL };
    pam_handle_t *pam = NULL;
    int code = pam_start(SERVICE, user, &conversation, &pam);

    if (code != PAM_SUCCESS) {
        slurm_error("nix_ns: no PAM for %s: %d", user, code);
        return -1;
    }
    code = pam_open_session(pam, PAM_SILENT);
    if (code != PAM_SUCCESS) {
        slurm_error("nix_ns: no session for %s: %s", user, pam_strerror(pam, code));
        return -1;
    }
    add_environment(spank, pam);
    /* Not ended: what is to be undone ends with the task's process. */
    return 0;
}

/* As root, after the task has joined the job's namespace. */
int slurm_spank_task_init_privileged(spank_t spank, int count, char *arguments[])
{
    struct passwd entry, *found = NULL;
    uid_t uid = 0;
    char *text;
    int opened;

    (void)count;
    (void)arguments;
    if (spank_get_item(spank, S_JOB_UID, &uid) != ESPANK_SUCCESS)
        return -1;
    text = malloc(ENTRY);
    if (text == NULL)
        return -1;
    if (getpwuid_r(uid, &entry, text, ENTRY, &found) != 0 || found == NULL) {
        slurm_error("nix_ns: no account has the number %u", (unsigned)uid);
        free(text);
        return -1;
    }
    opened = open_session(spank, entry.pw_name);
    free(text);
    return opened;
}
