/*
 * The floor of the benchmarks: the least a guest can do and still do the job. A static PID 1 that makes
 * the mounts our agent makes, then answers single-letter requests on the virtio-serial port.
 *
 *   'p'            -> 'p'                    round trip
 *   'x'            -> one byte exit status   fork + exec of /bin/true in the mounted root
 *   'r' + 8 bytes  -> 'r'                    read that many bytes and drop them
 *   'w' + 8 bytes  -> that many bytes        write zeros
 *   'h'            -> 'h', then reset
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned char buffer[1 << 16];

static void die(const char *what) {
  dprintf(2, "floor: %s: %s\n", what, strerror(errno));
  reboot(RB_AUTOBOOT);
}

static void load_modules(void) {
  FILE *order = fopen("/modules/order", "r");
  char name[256], path[300];
  if (!order) return;
  while (fgets(name, sizeof name, order)) {
    name[strcspn(name, "\n")] = 0;
    if (!*name) continue;
    snprintf(path, sizeof path, "/modules/%s", name);
    int fd = open(path, O_RDONLY);
    if (fd < 0) continue;
    syscall(SYS_finit_module, fd, "", 0);
    close(fd);
  }
  fclose(order);
}

/* Lets others run without a timer: with a coarse one, the shortest sleep takes as long as an exec. */
static void pause_shortly(void) { sched_yield(); }

static int open_port(void) {
  char path[300], name[64];
  for (time_t end = time(NULL) + 20; time(NULL) < end;) {
    DIR *dir = opendir("/sys/class/virtio-ports");
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
      if (entry->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
      int fd = open(path, O_RDONLY);
      if (fd < 0) continue;
      ssize_t n = read(fd, name, sizeof name - 1);
      close(fd);
      if (n <= 0) continue;
      name[n] = 0;
      if (strncmp(name, "microagent.agent.0", 18)) continue;
      snprintf(path, sizeof path, "/dev/%s", entry->d_name);
      fd = open(path, O_RDWR);
      if (fd >= 0) {
        closedir(dir);
        return fd;
      }
    }
    if (dir) closedir(dir);
    pause_shortly();
  }
  errno = ETIME;
  die("no port");
  return -1;
}

static void mount_root(void) {
  mkdir("/base", 0755);
  mkdir("/scratch", 0755);
  mkdir("/root", 0755);
  for (time_t end = time(NULL) + 20; access("/dev/vdb", F_OK) && time(NULL) < end;) pause_shortly();
  if (mount("/dev/vda", "/base", "erofs", MS_RDONLY, "")) die("base");
  if (mount("/dev/vdb", "/scratch", "ext4", MS_NOATIME, "")) die("scratch");
  mkdir("/scratch/upper", 0755);
  mkdir("/scratch/work", 0755);
  if (mount("overlay", "/root", "overlay", 0,
            "lowerdir=/base,upperdir=/scratch/upper,workdir=/scratch/work"))
    die("overlay");
  mount("proc", "/root/proc", "proc", 0, "");
  mount("sysfs", "/root/sys", "sysfs", 0, "");
  mount("devtmpfs", "/root/dev", "devtmpfs", 0, "");
  mkdir("/root/dev/pts", 0755);
  mount("devpts", "/root/dev/pts", "devpts", 0, "");
  mkdir("/root/dev/shm", 01777);
  mount("tmpfs", "/root/dev/shm", "tmpfs", 0, "");
  mount("tmpfs", "/root/run", "tmpfs", 0, "");
  mount("cgroup2", "/root/sys/fs/cgroup", "cgroup2", 0, "");
}

static void read_exactly(int fd, void *into, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = read(fd, (char *)into + done, size - done);
    if (n > 0) done += n;
    else pause_shortly();
  }
}

static void write_all(int fd, const void *from, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t n = write(fd, (const char *)from + done, size - done);
    if (n > 0) done += n;
    else pause_shortly();
  }
}

static unsigned char run_true(void) {
  pid_t pid = fork();
  if (pid == 0) {
    if (chroot("/root") || chdir("/")) _exit(126);
    char *argv[] = {"/bin/true", NULL}, *envp[] = {"PATH=/bin", NULL};
    execve("/bin/true", argv, envp);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int main(void) {
  mkdir("/proc", 0755);
  mkdir("/sys", 0755);
  mkdir("/dev", 0755);
  mount("devtmpfs", "/dev", "devtmpfs", 0, "");
  mount("proc", "/proc", "proc", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  int console = open("/dev/console", O_RDWR);
  if (console > 0) {
    dup2(console, 1);
    dup2(console, 2);
  }
  load_modules();
  int port = open_port();
  mount_root();
  for (;;) {
    unsigned char request, status;
    uint64_t size;
    read_exactly(port, &request, 1);
    switch (request) {
      case 'p':
        write_all(port, "p", 1);
        break;
      case 'x':
        status = run_true();
        write_all(port, &status, 1);
        break;
      case 'r':
        read_exactly(port, &size, 8);
        for (; size > 0;) {
          ssize_t n = read(port, buffer, size < sizeof buffer ? size : sizeof buffer);
          if (n > 0) size -= n;
        }
        write_all(port, "r", 1);
        break;
      case 'w':
        read_exactly(port, &size, 8);
        memset(buffer, 0, sizeof buffer);
        for (; size > 0;) {
          size_t step = size < sizeof buffer ? size : sizeof buffer;
          write_all(port, buffer, step);
          size -= step;
        }
        break;
      case 'h':
        write_all(port, "h", 1);
        sync();
        reboot(RB_AUTOBOOT);
        break;
      default:
        break;
    }
  }
}
