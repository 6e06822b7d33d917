/* test_processors.c: how many processors a process may use, by its affinity and by the quotas of control groups. */
#include "core/os/processors.h"
#include "support/threads.h"

#include <sched.h>
#include <sys/stat.h>

static char root[] = "/tmp/cawait-processors-XXXXXX";
static char path[4096];

static void
make_root(void)
{
    memcpy(strrchr(root, '-'), "-XXXXXX", 7);
    CHECK(mkdtemp(root));
}

static void
remove_root(void)
{
    (void)snprintf(path, sizeof path, "rm -r '%s'", root);
    CHECK_INT(system(path), 0);
}

/* A file below the root, with its folders. */
static void
write_file(const char *name, const char *text)
{
    (void)snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    CHECK(file);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
}

static void
without_groups_there_is_no_quota(void)
{
    make_root();
    CHECK_INT(caw__processors_quota(root), 0);
    write_file("/proc/self/cgroup", "0::/a\n");
    CHECK_INT(caw__processors_quota(root), 0);
    write_file("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    CHECK_INT(caw__processors_quota(root), 0);
    write_file("/proc/self/cgroup", "no line of this kind\n:\n\n0:\n");
    CHECK_INT(caw__processors_quota(root), 0);
    remove_root();
}

static void
quota_of_version_2_is_rounded_up_and_the_smallest_of_all_groups(void)
{
    make_root();
    write_file("/proc/self/cgroup", "0::/a/b/c\n");
    write_file("/sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
    CHECK_INT(caw__processors_quota(root), 3);
    write_file("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    CHECK_INT(caw__processors_quota(root), 3);
    write_file("/sys/fs/cgroup/a/cpu.max", "50000 100000\n");
    CHECK_INT(caw__processors_quota(root), 1);
    remove_root();
}

static void
quota_of_a_container_is_that_of_the_root(void)
{
    make_root();
    write_file("/proc/self/cgroup", "0::/\n");
    write_file("/sys/fs/cgroup/cpu.max", "400000 100000\n");
    CHECK_INT(caw__processors_quota(root), 4);
    write_file("/proc/self/cgroup", "0::/docker/of/the/host\n");
    CHECK_INT(caw__processors_quota(root), 4);
    remove_root();
}

static void
quota_of_version_1_is_that_of_the_controller_cpu(void)
{
    make_root();
    write_file("/proc/self/cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/a\n1:name=systemd:/b\n");
    write_file("/sys/fs/cgroup/cpu/x/cpu.cfs_quota_us", "100000\n"); /* of another controller's group */
    write_file("/sys/fs/cgroup/cpu/x/cpu.cfs_period_us", "100000\n");
    write_file("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
    write_file("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    CHECK_INT(caw__processors_quota(root), 0);
    write_file("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "600000\n");
    CHECK_INT(caw__processors_quota(root), 6);
    remove_root();
}

static void *
count_with_one_processor(void *one)
{
    CHECK_INT(sched_setaffinity(0, sizeof(cpu_set_t), one), 0); /* of this thread alone */
    CHECK_INT(caw__processors(), 1);
    return NULL;
}

static void
affinity_counts_and_not_the_machine(void)
{
    cpu_set_t all, one;
    CHECK_INT(sched_getaffinity(0, sizeof all, &all), 0);
    unsigned n = caw__processors();
    CHECK(n >= 1 && n <= (unsigned)CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
        if (CPU_ISSET(i, &all)) {
            CPU_SET(i, &one);
        }
    }
    join_thread(start_thread(count_with_one_processor, &one));
}

TESTS(TEST(without_groups_there_is_no_quota), TEST(quota_of_version_2_is_rounded_up_and_the_smallest_of_all_groups),
      TEST(quota_of_a_container_is_that_of_the_root), TEST(quota_of_version_1_is_that_of_the_controller_cpu),
      TEST(affinity_counts_and_not_the_machine))
