/* What a session costs at least: the system calls alone, in C, without Linux-PAM.
 *
 *   floor bare PID           opens that process's mount namespace and enters it
 *   floor join USER          makes the calls of a session that joins USER's
 *                            namespace, and checks what they answer, as the
 *                            module does
 *   floor build DIRECTORY    makes the calls of a session that builds a namespace,
 *                            from the one after the user's files were read
 *
 * Prints "open NANOSECONDS busy NANOSECONDS": how long that took, and for how much
 * of it the processor was busy with it. */

#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define MARKER "/run/nix-ns/self"
#define LINK MARKER "/namespace"
#define GET_MNTNS_ID _IOR(0xb7, 5, uint64_t)
#define UNIQUE 0x4000 /* STATX_MNT_ID_UNIQUE */
#define CACHED 0x20   /* RESOLVE_CACHED */
#define CHECK(condition) ((condition) ? (void)0 : err(1, "line %d: %s", __LINE__, #condition))

static struct timespec begun, busy_before;

static void start(void)
{
	/* As pam-stopwatch does. */
	usleep(1000);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &busy_before);
}

static long long since(clockid_t clock, const struct timespec *before)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (now.tv_sec - before->tv_sec) * 1000000000LL + now.tv_nsec - before->tv_nsec;
}

static void stop(void)
{
	long long busy = since(CLOCK_PROCESS_CPUTIME_ID, &busy_before);
	long long open = since(CLOCK_MONOTONIC, &begun);
	printf("open %lld busy %lld\n", open, busy);
}

static int look(const char *path, struct statx *it)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
	return statx(AT_FDCWD, path, flags, STATX_BASIC_STATS | UNIQUE, it);
}

static void look_at(int fd, struct statx *it)
{
	CHECK(statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | UNIQUE, it) == 0);
}

static ssize_t text_of(int directory, const char *path, char *text, size_t room)
{
	ssize_t length = readlinkat(directory, path, text, room - 1);
	if (length >= 0)
		text[length] = 0;
	return length;
}

static uint64_t id_of(int namespace)
{
	uint64_t id;
	CHECK(ioctl(namespace, GET_MNTNS_ID, &id) == 0);
	return id;
}

/* Whether the caller is in the host's namespace. */
static void be_on_host(char *pid_namespace, size_t room)
{
	char own[64], hosts[64];
	struct statx it;
	CHECK(look(MARKER, &it) == 0 && !(it.stx_attributes & STATX_ATTR_MOUNT_ROOT));
	CHECK(text_of(AT_FDCWD, "/proc/thread-self/ns/mnt", own, sizeof own) > 0);
	CHECK(text_of(AT_FDCWD, "/proc/1/ns/mnt", hosts, sizeof hosts) > 0);
	CHECK(strcmp(own, hosts) == 0);
	CHECK(text_of(AT_FDCWD, "/proc/thread-self/ns/pid", pid_namespace, room) > 0);
	if (strcmp(pid_namespace, "pid:[4026531836]") != 0)
		CHECK(look("/nix", &it) == 0 && !(it.stx_attributes & STATX_ATTR_MOUNT_ROOT));
}

static size_t read_all(int file, char *text, size_t room)
{
	size_t length = 0;
	ssize_t more;
	while ((more = read(file, text + length, room - 1 - length)) > 0)
		length += more;
	CHECK(more == 0);
	text[length] = 0;
	close(file);
	return length;
}

static void be_the_one(const char *path, const char *remembered)
{
	char is[128];
	struct statx it;
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_FORCE_SYNC;
	CHECK(statx(AT_FDCWD, path, flags, STATX_BASIC_STATS | UNIQUE, &it) == 0);
	snprintf(is, sizeof is, "%llu:%llu:%llu:%lld:%u ", (unsigned long long)makedev(it.stx_dev_major, it.stx_dev_minor),
		 (unsigned long long)it.stx_ino, (unsigned long long)it.stx_size, (long long)it.stx_ctime.tv_sec,
		 it.stx_ctime.tv_nsec);
	CHECK(strncmp(remembered, is, strlen(is)) == 0);
}

static const char *fact(const char *record, const char *key)
{
	const char *at = strstr(record, key);
	CHECK(at);
	return at + strlen(key);
}

/* Whether the site lets this account take part: its files are the ones of which
 * it is remembered what they say. */
static void be_selected(uid_t uid)
{
	char text[1024];
	CHECK(text_of(AT_FDCWD, "/run/nix-ns/1/site", text, sizeof text) > 0);
	be_the_one("/etc/nix-ns/config.toml", fact(text, " silent="));
	be_the_one("/etc/login.defs", fact(text, " login.defs="));
	CHECK(uid >= strtoul(fact(text, " min="), 0, 10) && uid <= strtoul(fact(text, " max="), 0, 10));
}

static int refer(const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags, .resolve = RESOLVE_NO_MAGICLINKS | resolve};
	/* Whether there is a profile may stay unknown. */
	int file, tries = flags & O_NOFOLLOW ? 2 : 0;
	do
		file = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	while (file < 0 && errno == EAGAIN && ++tries < 3);
	return file;
}

static void get_capabilities(struct __user_cap_data_struct *held)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	CHECK(syscall(SYS_capget, &header, held) == 0);
}

struct found {
	uint64_t namespace, nix;
	char elected[256], record[4096], session[256];
	char user[64], store[64], path[4096];
};

/* What the registry says of the user's namespace, and of one who is in it. */
static void search(int registry, struct found *found)
{
	char room[8192];
	long length;
	while ((length = syscall(SYS_getdents64, registry, room, sizeof room)) > 0)
		for (long at = 0; at < length;) {
			struct dirent64 *entry = (void *)(room + at);
			if (strncmp(entry->d_name, "namespace.", 10) == 0)
				strcpy(found->elected, entry->d_name);
			else if (strncmp(entry->d_name, "session.", 8) == 0)
				strcpy(found->session, entry->d_name);
			at += entry->d_reclen;
		}
	CHECK(length == 0);
}

/* Whether a namespace belongs to the first user namespace. */
static void be_roots(int namespace)
{
	struct stat it;
	int owner = ioctl(namespace, NS_GET_USERNS);
	CHECK(owner >= 0 && fstat(owner, &it) == 0 && it.st_ino == 0xEFFFFFFD);
	close(owner);
}

/* Whether the log takes anything. */
static void be_heard(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	struct pollfd room = {.events = POLLOUT};
	room.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(room.fd >= 0 && connect(room.fd, (struct sockaddr *)&to, sizeof to) == 0);
	CHECK(poll(&room, 1, 1000) == 1);
	close(room.fd);
}

/* Whether the user's configuration and store are what the record says. */
static void be_fresh(const struct passwd *user, struct found *found)
{
	struct __user_cap_data_struct before[2], after[2];
	char path[4300];
	struct statx it;
	int signal, file;
	CHECK(prctl(PR_GET_PDEATHSIG, &signal) == 0);
	int dumpable = prctl(PR_GET_DUMPABLE);
	get_capabilities(before);
	gid_t gid = setfsgid(user->pw_gid);
	uid_t uid = setfsuid(user->pw_uid);
	CHECK((uid_t)setfsuid(user->pw_uid) == user->pw_uid && (gid_t)setfsgid(user->pw_gid) == user->pw_gid);

	snprintf(path, sizeof path, "%s/.config/nix-ns/config.toml", user->pw_dir);
	CHECK((file = refer(path, 0, CACHED)) >= 0);
	look_at(file, &it);
	close(file);
	char is[64];
	snprintf(is, sizeof is, "%llu:%llu", (unsigned long long)makedev(it.stx_dev_major, it.stx_dev_minor),
		 (unsigned long long)it.stx_ino);
	CHECK(strncmp(fact(found->record, " user="), is, strlen(is)) == 0);
	CHECK((file = refer(fact(found->record, " path="), 0, CACHED)) >= 0);
	look_at(file, &it);
	close(file);
	snprintf(is, sizeof is, "%llu:%llu", (unsigned long long)makedev(it.stx_dev_major, it.stx_dev_minor),
		 (unsigned long long)it.stx_ino);
	CHECK(strncmp(fact(found->record, " store="), is, strlen(is)) == 0);
	snprintf(path, sizeof path, "%s/.local/state/nix/profile", user->pw_dir);
	if ((file = refer(path, O_NOFOLLOW, CACHED)) >= 0)
		close(file);
	snprintf(path, sizeof path, "%s/.nix-profile", user->pw_dir);
	if ((file = refer(path, O_NOFOLLOW, CACHED)) >= 0)
		close(file);

	setfsuid(uid);
	setfsgid(gid);
	CHECK((uid_t)setfsuid(uid) == uid && (gid_t)setfsgid(gid) == gid);
	get_capabilities(after);
	CHECK(memcmp(before, after, sizeof before) == 0);
	CHECK(prctl(PR_SET_DUMPABLE, dumpable) == 0);
}

/* Whether the host's own /nix may be covered. */
static void check_host(void)
{
	struct statx it;
	char room[8192];
	long length, all = 0;
	CHECK(look("/nix", &it) == 0 && S_ISDIR(it.stx_mode) && it.stx_uid == 0 && !(it.stx_mode & 022));
	int nix = open("/nix", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CHECK(nix >= 0);
	while ((length = syscall(SYS_getdents64, nix, room, sizeof room)) > 0)
		all += length;
	CHECK(all == 48); /* "." and ".." */
	CHECK(look("/etc/NIXOS", &it) && look("/run/current-system", &it) && look("/run/wrappers", &it));
	close(nix);
}

static void join(const char *name)
{
	static struct found found, again;
	char pid_namespace[64], unused[64], path[4300], room[16384];
	struct passwd entry, *user;
	struct statx own, init, it;

	be_on_host(unused, sizeof unused); /* the first line */
	CHECK(getpwnam_r(name, &entry, room, sizeof room, &user) == 0 && user);
	be_selected(user->pw_uid);
	be_on_host(unused, sizeof unused); /* the second */
	CHECK(look("/", &own) == 0 && look("/proc/1/root/", &init) == 0);
	CHECK(own.stx_ino == init.stx_ino && own.stx_mnt_id == init.stx_mnt_id);

	CHECK(text_of(AT_FDCWD, "/proc/thread-self/ns/pid", pid_namespace, sizeof pid_namespace) > 0);
	snprintf(path, sizeof path, "/run/nix-ns/1/%u.%lu", user->pw_uid, strtoul(pid_namespace + 5, 0, 10));
	int registry = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CHECK(registry >= 0);
	search(registry, &found);
	CHECK(text_of(registry, found.elected, found.record, sizeof found.record) > 0);
	found.namespace = strtoull(fact(found.record, " namespace=u"), 0, 10);
	found.nix = strtoull(fact(found.record, " nix=u"), 0, 10);
	be_fresh(user, &found);

	struct __user_cap_data_struct held[2];
	get_capabilities(held);
	CHECK(held[0].effective & 1 << CAP_SYS_ADMIN);
	CHECK(look("/proc/self/task", &it) == 0 && it.stx_nlink == 3);
	check_host();

	snprintf(path, sizeof path, "/proc/%s/ns/mnt", strrchr(found.session, '.') + 1);
	int namespace = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(namespace >= 0 && id_of(namespace) == found.namespace);
	be_roots(namespace);
	int back = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	CHECK(back >= 0 && syscall(SYS_getcwd, path, sizeof path) > 0);
	CHECK(unshare(CLONE_FS) == 0 && setns(namespace, CLONE_NEWNS) == 0);
	CHECK(text_of(AT_FDCWD, LINK, path, sizeof path) > 0 && strcmp(path, found.record) == 0);
	CHECK(look("/nix", &it) == 0 && it.stx_mnt_id == found.nix && it.stx_nlink > 0);

	char session[64];
	snprintf(session, sizeof session, "session.u%llu.%ld", (unsigned long long)found.namespace, syscall(SYS_gettid));
	CHECK(symlinkat("-", registry, session) == 0);
	CHECK(lseek(registry, 0, SEEK_SET) == 0);
	search(registry, &again);
	CHECK(strcmp(again.elected, found.elected) == 0);
	close(back);
	close(namespace);
	close(registry);
	be_heard();
	syslog(LOG_INFO, "/nix is %s for %s (uid %u): joined", fact(found.record, " path="), name, user->pw_uid);
	stop();
	snprintf(path, sizeof path, "/run/nix-ns/1/%u.%lu/%s", user->pw_uid, strtoul(pid_namespace + 5, 0, 10), session);
	CHECK(unlink(path) == 0);
}

static void bare(const char *process)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%s/ns/mnt", process);
	int namespace = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(namespace >= 0 && setns(namespace, CLONE_NEWNS) == 0);
	stop();
}

static int memory_tree(void)
{
	static const char *const pairs[][2] = {
		{"source", "nix-ns"}, {"mode", "2755"}, {"uid", "0"}, {"gid", "0"}, {"size", "16k"}};
	int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	CHECK(context >= 0);
	for (int i = 0; i < 5; i++)
		CHECK(fsconfig(context, FSCONFIG_SET_STRING, pairs[i][0], pairs[i][1], 0) == 0);
	CHECK(fsconfig(context, FSCONFIG_CMD_CREATE, 0, 0, 0) == 0);
	int tree = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	CHECK(tree >= 0);
	close(context);
	return tree;
}

static void restrict_tree(int tree, uint64_t flags)
{
	struct mount_attr attributes = {.attr_set = flags, .propagation = MS_PRIVATE};
	CHECK(mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0);
}

static char table[8 << 20];

static char *read_mounts(void)
{
	int file = open("/proc/thread-self/mountinfo", O_RDONLY | O_CLOEXEC);
	CHECK(file >= 0);
	read_all(file, table, sizeof table);
	return table;
}

static void make_directory(const char *path)
{
	struct stat it;
	CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
	CHECK(stat(path, &it) == 0 && it.st_uid == 0);
}

static uint64_t id_of_here(void)
{
	int here = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	CHECK(here >= 0);
	uint64_t id = id_of(here);
	close(here);
	return id;
}

/* Which namespace was the last, by a registry that is not the module's. */
static unsigned long read_election(int registry, struct found *found)
{
	found->elected[0] = 0;
	search(registry, found);
	if (!found->elected[0])
		return 0;
	CHECK(text_of(registry, found->elected, found->record, sizeof found->record) > 0);
	return strtoul(found->elected + strlen("namespace."), 0, 10);
}

/* Whether anybody is in a namespace still. */
static int is_inhabited(const char *number)
{
	char path[300], text[64];
	struct dirent *entry;
	DIR *all = opendir("/proc");
	int found = 0;
	CHECK(all);
	while ((entry = readdir(all)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
			snprintf(path, sizeof path, "/proc/%s/ns/mnt", entry->d_name);
			found |= text_of(AT_FDCWD, path, text, sizeof text) > 0 && strcmp(text, number) == 0;
		}
	closedir(all);
	return found;
}

static void build(const char *directory)
{
	static struct found found;
	char text[4096], again[4096], own[300], name[300], number[64];
	struct statx store, nix;
	int from = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(from >= 0);
	start();
	/* The directory. */
	snprintf(own, sizeof own, "/proc/self/fd/%d", from);
	CHECK(text_of(AT_FDCWD, own, text, sizeof text) > 0 && strcmp(text, directory) == 0);
	look_at(from, &store);
	CHECK(S_ISDIR(store.stx_mode) && store.stx_uid && !(store.stx_mode & 022));
	CHECK(strstr(read_mounts(), " / / "));
	look_at(from, &store);

	/* The registry. */
	make_directory("/run/nix-ns");
	make_directory("/run/nix-ns/floor");
	CHECK(text_of(AT_FDCWD, "/proc/thread-self/ns/pid", text, sizeof text) > 0);
	make_directory("/run/nix-ns/floor/user");
	int registry = open("/run/nix-ns/floor/user", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CHECK(registry >= 0);
	unsigned long generation = read_election(registry, &found);
	if (generation)
		CHECK(!is_inhabited(fact(found.record, " number=")));
	CHECK(lseek(registry, 0, SEEK_SET) == 0 && read_election(registry, &found) == generation);

	/* The trees. */
	int tree = open_tree(from, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	CHECK(tree >= 0);
	restrict_tree(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	make_directory("/run/nix-ns");
	make_directory(MARKER);
	int marker = memory_tree();

	/* The namespace. */
	int back = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	CHECK(back >= 0 && syscall(SYS_getcwd, text, sizeof text) > 0 && id_of_here());
	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(0, "/", 0, MS_SLAVE | MS_REC, 0) == 0 && mount(0, "/", 0, MS_SHARED | MS_REC, 0) == 0);
	CHECK(move_mount(tree, "", AT_FDCWD, "/nix", MOVE_MOUNT_F_EMPTY_PATH) == 0);
	CHECK(look("/", &nix) == 0 && look("/nix", &nix) == 0);
	CHECK(text_of(AT_FDCWD, "/proc/thread-self/ns/mnt", number, sizeof number) > 0);
	snprintf(text, sizeof text, "nix-ns/1 namespace=u%llu number=%s", (unsigned long long)id_of_here(), number);
	CHECK(symlinkat(text, marker, "namespace") == 0);
	restrict_tree(marker, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	CHECK(move_mount(marker, "", AT_FDCWD, MARKER, MOVE_MOUNT_F_EMPTY_PATH) == 0);

	/* Is it so? */
	CHECK(look(MARKER, &nix) == 0 && nix.stx_attributes & STATX_ATTR_MOUNT_ROOT);
	CHECK(text_of(AT_FDCWD, LINK, again, sizeof again) > 0 && strcmp(text, again) == 0);
	int there = refer("/nix", 0, RESOLVE_NO_SYMLINKS);
	CHECK(there >= 0);
	look_at(there, &nix);
	CHECK(nix.stx_ino == store.stx_ino);
	CHECK(strstr(read_mounts(), " /nix rw,nosuid,nodev"));
	look_at(there, &nix);
	close(there);
	close(tree);
	close(marker);

	/* The election. */
	snprintf(own, sizeof own, "session.%ld", syscall(SYS_gettid));
	CHECK(symlinkat("-", registry, own) == 0);
	snprintf(name, sizeof name, "namespace.%lu", generation + 1);
	CHECK(symlinkat(text, registry, name) == 0);
	CHECK(lseek(registry, 0, SEEK_SET) == 0 && read_election(registry, &found));
	if (generation) {
		snprintf(name, sizeof name, "namespace.%lu", generation);
		CHECK(unlinkat(registry, name, 0) == 0);
	}
	CHECK(lseek(registry, 0, SEEK_SET) == 0 && read_election(registry, &found) == generation + 1);
	close(back);
	close(from);
	be_heard();
	syslog(LOG_INFO, "/nix is %s: built", directory);
	stop();
	CHECK(unlinkat(registry, own, 0) == 0);
}

int main(int count, char **words)
{
	/* As every application has done long before it opens a session. */
	openlog("floor", LOG_NDELAY, LOG_AUTHPRIV);
	syslog(LOG_INFO, "starts");
	getpwnam("root");
	if (count != 3)
		errx(2, "bare PID, join USER or build DIRECTORY");
	start();
	if (strcmp(words[1], "bare") == 0)
		bare(words[2]);
	else if (strcmp(words[1], "join") == 0)
		join(words[2]);
	else
		build(words[2]);
	return 0;
}
