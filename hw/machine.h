/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One virtual machine: lock, clock, loop, address spaces, devices, vCPUs, and its run state.
 *
 * Lock order (the only order in which locks may nest):
 *   0. machine.split_lock  a vCPU's locked access that no host atomic covers, which may end up
 *                          in a device
 *   1. machine.lock   device callbacks, timers, loop callbacks, aspace map changes
 *   2. internal locks of accel/cpus.c (mailboxes; never held while calling out)
 * vCPU threads run guest code with none held. Functions that need machine.lock held and take it
 * from their caller end in _locked, except device callbacks, which always have it.
 */
#ifndef HW_MACHINE_H
#define HW_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu/bus.h"
#include "hw/clock.h"
#include "hw/device.h"
#include "hw/input/input.h"
#include "mmu/aspace.h"

struct chardev;
struct cpu_model;
struct cpus;
struct display;
struct engine;
struct loop;

enum machine_end {
	END_NONE,
	END_SHUTDOWN, /* guest powered off, or reset with no_reboot: status 0 */
	END_EXIT,     /* isa-debug-exit: status in end_status */
	END_QUIT,     /* user */
	END_PANIC,    /* pvpanic with action shutdown, or triple fault with no_reboot */
};

/* What becomes of a guest that reports its panic. */
enum panic_action {
	PANIC_SHUTDOWN, /* with no_shutdown, as the others: it stops */
	PANIC_PAUSE,
	PANIC_EXIT_FAILURE, /* the end, with status 1 */
	PANIC_NONE,
};

enum machine_event {
	MACHINE_RESET,        /* has been */
	MACHINE_END,          /* it ends, or stops with no_shutdown: `end` says why */
	MACHINE_POWERDOWN,    /* the power button was pressed */
	MACHINE_WATCHDOG,     /* one has run out; what: the action's name */
	MACHINE_SUSPEND,      /* the guest has gone to sleep, its memory kept */
	MACHINE_WAKEUP,       /* and has been woken up */
	MACHINE_SUSPEND_DISK, /* it goes to sleep on its disk: the end follows */
	MACHINE_IO_ERROR,     /* a disk has stopped the guest; what: its name */
	MACHINE_TRAY_OPENED,  /* of a drive for media; what: its name */
	MACHINE_TRAY_CLOSED,
	MACHINE_DEVICE_DELETED, /* one was unplugged; what: its id, which may be empty */
};

/* Who is told of events. */
struct machine_watcher {
	void (*event)(void *opaque, enum machine_event event, const char *what);
	void *opaque;
	struct machine_watcher *next;
};

struct machine {
	pthread_mutex_t lock, split_lock;
	struct clock clock;
	struct loop *loop;
	struct aspace mem, io;
	struct ram ram;
	struct device *devices;   /* list, in reset order */
	struct display *displays; /* list, the first one is the main one */
	struct input input;
	struct cpu_bus bus;
	struct cpus *cpus;
	const struct engine *engine;
	struct machine_watcher *watchers;
	const char *identity; /* what must be the same for a saved state: options, one a line */
	bool no_reboot;
	bool no_shutdown;
	enum panic_action panic_action;
	bool start_stopped; /* machine_run() waits for the user's word */
	bool reset_requested;
	bool stop_requested;
	bool suspend_requested, wakeup_requested;
	bool suspended; /* by the guest: the clock runs, the vCPUs are paused */
	bool stopped;   /* by the user, or by the guest's shutdown with no_shutdown */
	enum machine_end end;
	int end_status;
	/* Called, paused and with the lock held, after every reset: the board puts the vCPUs and
	 * RAM into the state from which the guest (re)starts. */
	int (*reset_hook)(void *opaque);
	/* Called, the vCPUs paused and with the lock held, to wake it up: resets devices and vCPUs, and leaves these where
	 * the guest goes on. Below 0 ends the machine. */
	int (*wake_hook)(void *opaque);
	/* Called with the lock held when the guest continues after a stop; may be NULL. */
	void (*cont_hook)(void *opaque);
	void *cont_opaque;
	/* Called with the lock held when the guest has stopped by a request, or by what would have ended the
	 * machine but for no_shutdown (why is not END_NONE); may be NULL. */
	void (*stop_hook)(void *opaque, enum machine_end why);
	void *stop_opaque;
	/* Called once, before the guest runs, paused and with the lock held; may be NULL. Below 0 ends the
	 * machine with status 1. */
	int (*start_hook)(void *opaque);
	void *start_opaque;
	/* Called after the fields of a saved state are loaded, before the devices' loaded(). */
	void (*load_hook)(void *opaque);
	void *board;
};

/* Makes an empty machine with `ram_size` bytes of RAM (not mapped yet). 0 or -errno. */
int machine_init(struct machine *m, uint64_t ram_size);
void machine_fini(struct machine *m);
/* Before any device is made: the clock is manual, and who moves it is told when the first deadline changes. */
void machine_follow_time(struct machine *m, void (*rearm)(void *opaque), void *opaque);
/* Adds a device to the reset/save/info list. */
void machine_add(struct machine *m, struct device *dev);
/* The same, right after another in that list. */
void machine_add_after(struct device *after, struct device *dev);

/* Takes one out of it. The one before, or NULL. */
struct device *machine_remove(struct machine *m, struct device *dev);

/* Runs until the guest or the user ends it; returns the process exit status. Main thread. */
int machine_run(struct machine *m);

/* w is borrowed until machine_unwatch(). Machine lock held, as when it is called. */
void machine_watch(struct machine *m, struct machine_watcher *w);
void machine_unwatch(struct machine *m, struct machine_watcher *w);
/* what: see enum machine_event, or NULL. */
void machine_notify(struct machine *m, enum machine_event event, const char *what);

/* Requests; machine lock held, any thread. They return at once and take effect on the main loop. */
void machine_request_reset(struct machine *m);
void machine_request_shutdown(struct machine *m);
/* As the monitor's stop. */
void machine_request_stop(struct machine *m);
/* Suspends the guest, and wakes it up where it is suspended. */
void machine_request_suspend(struct machine *m);
void machine_request_wakeup(struct machine *m);
void machine_request_exit(struct machine *m, int status);
void machine_request_quit(struct machine *m);
/* The guest cannot go on: END_PANIC with no_reboot or where `always`, else a reset. */
void machine_request_panic(struct machine *m, bool always);

/* Devices and vCPUs alone, for wake_hook(). */
void machine_reset_devices_locked(struct machine *m);
/* Power-on reset, while the vCPUs are paused; machine lock held. 0 or -errno. */
int machine_reset_locked(struct machine *m);
/* Stops and continues the guest: vCPUs and clock. Main thread, machine lock held;
 * machine_stop_locked() lets go of it while the vCPUs come to rest. Both may be called again. */
void machine_stop_locked(struct machine *m);
void machine_cont_locked(struct machine *m);
/* Moves the guest to another engine, running or not; lets go of the lock meanwhile. Main thread. 0 or
 * -errno as cpus_set_engine(). */
int machine_hop_locked(struct machine *m, const struct engine *engine);

#endif
