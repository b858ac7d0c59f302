// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A kernel module with two bugs, which docs/debugging.md finds. Words written to /proc/bugs:
 *
 *   open N, close N   a session with a heartbeat each tenth of a second
 *   send, flush       from a queue and to it; they take the same two locks
 */
#include <linux/delay.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

struct inbox {
	unsigned long heard;
};

struct peer {
	char name[16];
	struct inbox *inbox;
	struct inbox own;
};

struct session {
	struct list_head list;
	int id;
	bool closed;
	unsigned long beats;
	struct timer_list heartbeat;
	struct peer *peer;
};

static LIST_HEAD(sessions);
static DEFINE_MUTEX(queue_lock);
static DEFINE_MUTEX(stats_lock);
static unsigned long queued, sent;

static noinline void tell_peer(struct session *s, unsigned long beat)
{
	struct peer *to = s->peer;

	to->inbox->heard = beat;
}

static void on_heartbeat(struct timer_list *timer)
{
	struct session *s = from_timer(s, timer, heartbeat);

	s->beats++;
	tell_peer(s, s->beats);
	if (s->closed)
		kfree(s);
	else
		mod_timer(&s->heartbeat, jiffies + HZ / 10);
}

static noinline int session_open(int id)
{
	struct session *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	s->peer = kzalloc(sizeof(*s->peer), GFP_KERNEL);
	if (!s->peer) {
		kfree(s);
		return -ENOMEM;
	}
	s->id = id;
	s->peer->inbox = &s->peer->own;
	snprintf(s->peer->name, sizeof(s->peer->name), "peer%d", id);
	list_add(&s->list, &sessions);
	timer_setup(&s->heartbeat, on_heartbeat, 0);
	mod_timer(&s->heartbeat, jiffies + HZ / 10);
	return 0;
}

static noinline int session_close(int id)
{
	struct session *s, *next;

	list_for_each_entry_safe(s, next, &sessions, list) {
		if (s->id != id)
			continue;
		list_del(&s->list);
		s->closed = true; /* the next heartbeat frees it */
		kfree(s->peer);
		return 0;
	}
	return -ENOENT;
}

static noinline void queue_send(void)
{
	mutex_lock(&queue_lock);
	queued++;
	msleep(200);
	mutex_lock(&stats_lock);
	sent++;
	mutex_unlock(&stats_lock);
	mutex_unlock(&queue_lock);
}

static noinline void queue_flush(void)
{
	mutex_lock(&stats_lock);
	sent = 0;
	msleep(200);
	mutex_lock(&queue_lock);
	queued = 0;
	mutex_unlock(&queue_lock);
	mutex_unlock(&stats_lock);
}

static ssize_t bugs_write(struct file *file, const char __user *text, size_t len, loff_t *pos)
{
	char word[32] = "";
	int id, err = 0;

	if (len >= sizeof(word) || copy_from_user(word, text, len))
		return -EINVAL;
	if (sscanf(word, "open %d", &id) == 1)
		err = session_open(id);
	else if (sscanf(word, "close %d", &id) == 1)
		err = session_close(id);
	else if (strncmp(word, "send", 4) == 0)
		queue_send();
	else if (strncmp(word, "flush", 5) == 0)
		queue_flush();
	else
		err = -EINVAL;
	return err ? err : len;
}

static const struct proc_ops bugs_ops = {.proc_write = bugs_write};

static int __init bugs_init(void)
{
	return proc_create("bugs", 0200, NULL, &bugs_ops) ? 0 : -ENOMEM;
}

module_init(bugs_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Two bugs to be found");
