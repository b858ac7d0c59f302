/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Kernel workloads: system calls, page faults, processes, pipes, signals; and self-modifying code,
 * which costs an emulator what a system call costs a kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "work.h"

static uint64_t run_syscall(uint64_t rounds)
{
	uint64_t good = 0;

	for (uint64_t i = 0; i < rounds; i++)
		good += syscall(SYS_getppid) >= 0;
	return good;
}

enum { FAULT_PAGES = 64, PAGE = 4096 };

static uint64_t run_fault(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		char *p = mmap(NULL, FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			work_die("mmap");
		for (size_t k = 0; k < FAULT_PAGES; k++)
			sum += (uint64_t)++p[k * PAGE];
		munmap(p, FAULT_PAGES * PAGE);
	}
	return sum;
}

static uint64_t run_fork(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid < 0)
			work_die("fork");
		if (!pid)
			_exit((int)(i % 100));
		if (waitpid(pid, &status, 0) != pid)
			work_die("waitpid");
		sum += (uint64_t)WEXITSTATUS(status);
	}
	return sum;
}

/* Two processes on one CPU hand a byte to and fro. */
static uint64_t run_pipe(uint64_t rounds)
{
	int there[2], back[2], status;
	uint64_t sum = 0;
	unsigned char byte = 1;
	pid_t pid;

	if (pipe(there) || pipe(back))
		work_die("pipe");
	pid = fork();
	if (pid < 0)
		work_die("fork");
	if (!pid) {
		close(there[1]);
		while (read(there[0], &byte, 1) == 1) {
			byte++;
			if (write(back[1], &byte, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (uint64_t i = 0; i < rounds; i++) {
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			work_die("pipe");
		sum += byte;
	}
	close(there[1]);
	close(there[0]);
	close(back[1]);
	close(back[0]);
	if (waitpid(pid, &status, 0) != pid)
		work_die("waitpid");
	return sum;
}

static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	(void)sig;
	caught++;
}

static uint64_t run_signal(uint64_t rounds)
{
	struct sigaction act = {.sa_handler = on_signal}, old;
	pid_t me = getpid();

	caught = 0;
	sigaction(SIGUSR1, &act, &old);
	for (uint64_t i = 0; i < rounds; i++)
		kill(me, SIGUSR1);
	sigaction(SIGUSR1, &old, NULL);
	return (uint64_t)caught;
}

enum { FILE_BYTES = 64 << 10 };

/* Page cache to user and back, in blocks of 4 KiB. */
static uint64_t run_file(uint64_t rounds)
{
	static char block[PAGE];
	int fd = memfd_create("bench", 0);
	uint64_t sum = 0;

	if (fd < 0 || ftruncate(fd, FILE_BYTES))
		work_die("memfd");
	for (uint64_t i = 0; i < rounds; i++) {
		off_t at = (off_t)(i * PAGE % FILE_BYTES);

		block[i % PAGE] = (char)i;
		if (pwrite(fd, block, PAGE, at) != PAGE || pread(fd, block, PAGE, at) != PAGE)
			work_die("memfd");
		sum += (unsigned char)block[i % PAGE];
	}
	close(fd);
	return sum;
}

static unsigned char *code_page;

static int setup_smc(void)
{
	/* mov eax, imm32; ret */
	static const unsigned char code[] = {0xb8, 0, 0, 0, 0, 0xc3};

	if (!code_page) {
		code_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (code_page == MAP_FAILED) {
			code_page = NULL;
			return -errno;
		}
	}
	memcpy(code_page, code, sizeof(code));
	return 0;
}

/* Each round changes the immediate of the function that it then calls. */
static uint64_t run_smc(uint64_t rounds)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		uint32_t value = (uint32_t)(i * 2654435761u);
		uint32_t (*call)(void);
		void *page = code_page;

		memcpy(code_page + 1, &value, sizeof(value));
		memcpy(&call, &page, sizeof(call));
		__asm__ volatile("" : : : "memory");
		sum += call();
	}
	return sum;
}

static const struct workload list[] = {
    {"syscall", "getppid", 500000, NULL, run_syscall},
    {"fault", "map, touch and unmap 64 pages", 400, NULL, run_fault},
    {"fork", "fork, exit and wait", 300, NULL, run_fork},
    {"pipe", "two processes hand over a byte", 15000, NULL, run_pipe},
    {"signal", "kill itself, handler, sigreturn", 30000, NULL, run_signal},
    {"file", "write and read 4 KiB of a memory file", 80000, NULL, run_file},
    {"smc", "change an instruction and execute it", 2500000, setup_smc, run_smc},
};

const struct workload_group work_sys = {list, COUNT_OF(list)};
