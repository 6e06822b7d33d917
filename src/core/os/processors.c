/* processors.c: affinity, and the quotas of control groups (cgroups(7)).
 *
 * In version 2 each group on the way to the root may have a file `cpu.max`, "max 100000" or "150000 100000": how many
 * microseconds in so many. In version 1 there are two files, `cpu.cfs_quota_us` (-1: none) and `cpu.cfs_period_us`, in
 * the hierarchy of the controller `cpu`. The smallest quota counts. Inside a container /proc/self/cgroup may give the
 * path of the host, which is not there; then the root of what is mounted is the container's group.
 */
#include "core/os/processors.h"

#include "core/os/compiler.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if CAW__HAS_AFFINITY
#  include <sched.h>
#endif

#define PROCESSORS_PATH 1024

/* The numbers of a file, of which "max" is none. How many there are. */
static int
processors_read(const char *path, long long *first, long long *second)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    int n = fscanf(file, "%lld %lld", first, second);
    (void)fclose(file);
    return n > 0 ? n : 0;
}

static unsigned
processors_of_quota(long long quota, long long period)
{
    if (quota <= 0 || period <= 0) {
        return 0;
    }
    long long n = (quota - 1) / period + 1;
    return n < INT_MAX ? (unsigned)n : INT_MAX;
}

/* The file of a group, as processors_read. */
static int
processors_read_in(const char *mount, const char *group, const char *name, long long *first, long long *second)
{
    char path[PROCESSORS_PATH];
    int length = snprintf(path, sizeof path, "%s%s/%s", mount, group, name);
    return length < (int)sizeof path ? processors_read(path, first, second) : 0;
}

/* The quota of one group, or 0. */
static unsigned
processors_of_group(const char *mount, const char *group, bool is_version_2)
{
    long long quota = 0, period = 0, unused;
    bool has_quota = is_version_2 ? processors_read_in(mount, group, "cpu.max", &quota, &period) == 2
                                  : processors_read_in(mount, group, "cpu.cfs_quota_us", &quota, &unused) >= 1 &&
                                        processors_read_in(mount, group, "cpu.cfs_period_us", &period, &unused) >= 1;
    return has_quota ? processors_of_quota(quota, period) : 0;
}

static unsigned
processors_less(unsigned a, unsigned b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The smallest quota of a group and of those above it. */
static unsigned
processors_of_groups(const char *mount, char *group, bool is_version_2)
{
    unsigned least = 0;
    for (;;) {
        least = processors_less(least, processors_of_group(mount, group, is_version_2));
        char *slash = strrchr(group, '/');
        if (!slash) {
            return least;
        }
        *slash = '\0';
    }
}

/* Whether the controller `cpu` is in a list as "cpu,cpuacct". */
static bool
processors_lists_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strcspn(at, ",") == 3 && strncmp(at, "cpu", 3) == 0) {
            return true;
        }
    }
    return false;
}

/* A line of /proc/self/cgroup: "0::/path" of version 2, "4:cpu,cpuacct:/path" of version 1. */
static unsigned
processors_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) {
        return 0;
    }
    *controllers++ = *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    char mount[PROCESSORS_PATH];
    bool is_version_2 = *controllers == '\0';
    if (!is_version_2 && !processors_lists_cpu(controllers)) {
        return 0;
    }
    int length = snprintf(mount, sizeof mount, "%s/sys/fs/cgroup%s", root, is_version_2 ? "" : "/cpu");
    return length < (int)sizeof mount ? processors_of_groups(mount, group, is_version_2) : 0;
}

unsigned
caw__processors_quota(const char *root)
{
    char line[PROCESSORS_PATH];
    int length = snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *file = length < (int)sizeof line ? fopen(line, "re") : NULL;
    if (!file) {
        return 0;
    }
    unsigned least = 0;
    while (fgets(line, sizeof line, file)) {
        least = processors_less(least, processors_of_line(root, line));
    }
    (void)fclose(file);
    return least;
}

#if CAW__HAS_AFFINITY
/* 0 where the system does not say. */
static unsigned
processors_of_affinity(void)
{
    for (int most = CPU_SETSIZE; most <= CPU_SETSIZE * 64; most *= 2) {
        cpu_set_t *set = CPU_ALLOC(most);
        if (!set) {
            return 0;
        }
        size_t size = CPU_ALLOC_SIZE(most);
        int n = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (n > 0) {
            return (unsigned)n;
        }
    }
    return 0;
}
#else
static unsigned
processors_of_affinity(void)
{
    return 0;
}
#endif

unsigned
caw__processors(void)
{
    unsigned n = processors_of_affinity();
    if (n == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        n = online > 1 ? (unsigned)online : 1;
    }
    return processors_less(n, caw__processors_quota(""));
}

#undef PROCESSORS_PATH
