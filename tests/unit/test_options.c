/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The command line: QEMU's meanings, and refusals by name.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "frontend/options.h"

static char err[512];

static int parse(struct options *o, const char *line)
{
	static char copy[1024], *argv[64];
	int argc = 1;

	argv[0] = "doppel";
	snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	return options_parse(o, argc, argv, err, sizeof(err));
}

static void refused(const char *line, const char *part)
{
	struct options o;

	cr_assert_lt(parse(&o, line), 0, "accepted: %s", line);
	cr_assert(strstr(err, part), "%s: %s", line, err);
	cr_assert_null(strchr(err, '\n'));
}

Test(options, defaults)
{
	struct options o;

	cr_assert_eq(parse(&o, ""), 0);
	cr_assert_eq(o.ram_size, 128ull << 20);
	cr_assert_eq(o.cpus, 1);
	cr_assert_eq(o.nr_serial, 1);
	cr_assert_eq(o.serial[0].kind, CHR_STDIO);
	cr_assert(o.serial[0].mux);
}

Test(options, common_line)
{
	struct options o;

	cr_assert_eq(parse(&o, "-m 1G -smp 4 -kernel k -initrd i -append a --nographic -no-reboot "
			       "-cpu max,-avx -machine pc,accel=interp -device "
			       "isa-debug-exit,iobase=0xf4,iosize=4"),
		     0, "%s", err);
	cr_assert_eq(o.ram_size, 1ull << 30);
	cr_assert_eq(o.cpus, 4);
	cr_assert_str_eq(o.kernel, "k");
	cr_assert_str_eq(o.append, "a");
	cr_assert_str_eq(o.cpu, "max,-avx");
	cr_assert_str_eq(o.accel, "interp");
	cr_assert(o.no_reboot && o.debug_exit);
	cr_assert_eq(o.debug_exit_port, 0xf4);
	cr_assert_eq(o.debug_exit_size, 4);
}

Test(options, test_suite_line)
{
	struct options o;

	cr_assert_eq(parse(&o,
			   "-nodefaults -device pc-testdev -device "
			   "isa-debug-exit,iobase=0xf4,iosize=0x4 -vnc none -serial stdio "
			   "-device pci-testdev -machine accel=tcg:interp -kernel x.flat -smp 2"),
		     0, "%s", err);
	cr_assert(o.pc_testdev && o.nr_devices == 1);
	cr_assert_not(o.serial[0].mux);
}

/* Whether kvm can run is not the command line's to know; what a list names after it is kept. */
Test(options, kvm)
{
	struct options o;

	cr_assert_eq(parse(&o, "-accel kvm"), 0, "%s", err);
	cr_assert_str_eq(o.accel, "kvm");
	cr_assert_null(o.accel_else);
	cr_assert_eq(parse(&o, "-enable-kvm"), 0, "%s", err);
	cr_assert_str_eq(o.accel, "kvm");
	cr_assert_eq(parse(&o, "-M pc,accel=kvm:tcg:interp"), 0, "%s", err);
	cr_assert_str_eq(o.accel, "kvm");
	cr_assert_str_eq(o.accel_else, "interp");
	cr_assert_eq(parse(&o, "-M pc,accel=kvm:tcg"), 0, "%s", err);
	cr_assert_str_eq(o.accel, "kvm");
	cr_assert_null(o.accel_else);
	cr_assert_eq(parse(&o, "-M pc,accel=tcg:jit"), 0, "%s", err);
	cr_assert_str_eq(o.accel, "jit");
	cr_assert_null(o.accel_else);
}

Test(options, sizes)
{
	struct options o;

	cr_assert_eq(parse(&o, "-m 512"), 0);
	cr_assert_eq(o.ram_size, 512ull << 20);
	cr_assert_eq(parse(&o, "-m size=2G"), 0);
	cr_assert_eq(o.ram_size, 2ull << 30);
	cr_assert_eq(parse(&o, "-m 65536k"), 0);
	cr_assert_eq(o.ram_size, 64ull << 20);
	refused("-m 0", "at least 2M");
	refused("-m lots", "not a size");
	refused("-m -5", "not a size");
	refused("-m 99999999999999999999G", "not a size");
	refused("-m 18446744073709551615G", "not a size");
	refused("-m 1G,maxmem=2G", "maxmem");
}

Test(options, smp)
{
	struct options o;

	cr_assert_eq(parse(&o, "-smp cpus=3"), 0);
	cr_assert_eq(o.cpus, 3);
	cr_assert_eq(parse(&o, "-smp sockets=2,cores=2,threads=1"), 0);
	cr_assert_eq(o.cpus, 4);
	refused("-smp 0", "1 to 64");
	refused("-smp 65", "1 to 64");
	refused("-smp x", "not a number");
	refused("-smp 4,maxcpus=8", "maxcpus");
	refused("-smp 4,cores=3", "make 3 CPUs");
}

Test(options, refusals)
{
	refused("-kernl k", "did you mean -kernel");
	refused("-sreial stdio", "did you mean -serial");
	refused("-boot x", "no order of devices");
	refused("-boot order=cc", "no order of devices");
	refused("-boot menu=perhaps", "neither on nor off");
	refused("-boot splash-time=65536", "number of ms");
	refused("-netdev hubport", "it needs id=");
	refused("-netdev hubprt,id=a", "did you mean hubport");
	refused("-netdev vde,id=a", "-netdev help lists what is");
	refused("-netdev hubport,id=a -netdev hubport,id=a", "two with id=a");
	refused("-audiodev wav", "it needs id=");
	refused("-audiodev wave,id=a", "did you mean wav");
	refused("-audiodev wav,id=a -audiodev none,id=a", "two with id=a");
	refused("-audiodev none,id=a,path=x", "path= is not supported");
	refused("-audiodev none,id=a,out.frequency=7999", "from 8000 to 192000");
	refused("-audiodev none,id=a,out.channels=6", "from 1 to 2");
	refused("-audiodev none,id=a,in.format=s24", "is no format");
	refused("-audiodev none,id=a,out.mixing-engine=off", "not supported");
	refused("-audio none,model=sb16", "there are hda and ac97");
	refused("-nic model=e1000", "type of back end comes first");
	refused("-device vmxnet3", "device vmxnet3 is not supported yet");
	refused("-device isa-debugexit", "did you mean isa-debug-exit");
	refused("-machine isapc", "there are pc and q35");
	refused("-accel kvm,x=1", "takes no properties");
	refused("-display gtk", "-display none");
	refused("-kernel", "needs an argument");
	refused("-initrd x", "needs -kernel");
	refused("-xyzzy", "not known");
	refused("-device isa-debug-exit,iobase=70000", "no port");
	refused("-device isa-debug-exit,foo=1", "property foo");
	refused("-serial stdio -debugcon stdio", "one device only");
	refused("-serial null -serial null -serial null -serial null -serial null", "at most 4");
}

Test(options, chardevs)
{
	struct chardev_spec s;
	struct options o;

	cr_assert_eq(chardev_spec_parse(&s, "file:/tmp/x", err, sizeof(err)), 0);
	cr_assert_eq(s.kind, CHR_FILE);
	cr_assert_str_eq(s.path, "/tmp/x");
	cr_assert_eq(chardev_spec_parse(&s, "unix:/tmp/s,server,nowait", err, sizeof(err)), 0);
	cr_assert(s.server && s.nowait);
	cr_assert_eq(chardev_spec_parse(&s, "unix:/tmp/s,server=on,wait=off", err, sizeof(err)), 0);
	cr_assert(s.server && s.nowait);
	cr_assert_lt(chardev_spec_parse(&s, "file:", err, sizeof(err)), 0);
	cr_assert_eq(chardev_spec_parse(&s, "tcp::4444,server,wait=off", err, sizeof(err)), 0);
	cr_assert(s.kind == CHR_TCP && s.server && s.nowait && !s.path[0]);
	cr_assert_str_eq(s.port, "4444");
	cr_assert_eq(chardev_spec_parse(&s, "tcp:[::1]:22", err, sizeof(err)), 0);
	cr_assert_str_eq(s.path, "::1");
	cr_assert_eq(chardev_spec_parse(&s, "telnet::4444,server,nowait", err, sizeof(err)), 0);
	cr_assert(s.kind == CHR_TCP && s.telnet && s.server && s.nowait);
	cr_assert_lt(chardev_spec_parse(&s, "udp::4444", err, sizeof(err)), 0);
	cr_assert(strstr(err, "nearest is tcp:"));
	cr_assert_lt(chardev_spec_parse(&s, "stdoi", err, sizeof(err)), 0);
	cr_assert(strstr(err, "did you mean stdio"));

	cr_assert_eq(parse(&o, "-chardev file,id=d,path=/tmp/d -device "
			       "isa-debugcon,iobase=0x402,chardev=d -debugcon null -global "
			       "isa-debugcon.iobase=0x403 -serial none"),
		     0, "%s", err);
	cr_assert_eq(o.nr_debugcon, 2);
	cr_assert_eq(o.debugcon[0].port, 0x402);
	cr_assert_eq(o.debugcon[0].to.kind, CHR_FILE);
	cr_assert_eq(o.debugcon[1].port, 0x403);
	refused("-serial chardev:nope", "no -chardev with id=nope");
	cr_assert_eq(parse(&o, "-chardev socket,id=s,host=h,port=80 -serial chardev:s"), 0, "%s",
		     err);
	cr_assert(o.serial[0].kind == CHR_TCP && !o.serial[0].server);
	refused("-chardev socket,id=s,path=/p,port=80", "either path= or port=");
	refused("-chardev socket,id=s,host=h", "needs path=, or host= and port=");
}

Test(options, help)
{
	struct options o;

	cr_assert_eq(parse(&o, "-cpu help"), 0);
	cr_assert_eq(o.action, ACT_CPU_HELP);
	cr_assert_eq(parse(&o, "--help -nonsense"), 0);
	cr_assert_eq(o.action, ACT_HELP);
	cr_assert_eq(parse(&o, "-version"), 0);
	cr_assert_eq(o.action, ACT_VERSION);
}

Test(options, nearest)
{
	static const char *const names[] = {"kernel", "initrd", "serial", NULL};

	cr_assert_str_eq(nearest_name("kernle", names), "kernel");
	cr_assert_str_eq(nearest_name("intird", names), "initrd");
	cr_assert_null(nearest_name("zzzzzz", names));
}

Test(options, drives_get_places_and_names)
{
	const struct drive_spec *s;
	struct options o;
	char text[300];

	cr_assert_eq(parse(&o, "-drive if=none,file=a,format=qcow2,cache=none,discard=unmap "
			       "-drive if=virtio,file=b,,c,id=v,serial=S,werror=stop "
			       "-drive if=virtio,file=d,index=0 -drive if=none"),
		     0);
	s = o.drives.spec;
	cr_assert_str_eq(s[0].id, "none0");
	cr_assert(s[0].opt.direct && s[0].opt.discard && !s[0].opt.writethrough);
	cr_assert_str_eq(s[1].file, "b,c");
	cr_assert_eq(s[1].unit, 1);
	cr_assert_eq(s[1].opt.werror, POLICY_STOP);
	cr_assert(drive_device(&s[1], text, sizeof(text)));
	cr_assert_str_eq(text, "virtio-blk-pci,drive=v,serial=S");
	cr_assert_eq(s[2].unit, 0);
	cr_assert_eq(s[2].opt.werror, POLICY_ENOSPC);
	cr_assert_str_eq(s[3].id, "none1");
	cr_assert_eq(o.nr_devices, 2);
	cr_assert(o.firmware);
	cr_assert_eq(parse(&o,
			   "-snapshot -blockdev driver=file,node-name=f,filename=x,read-only=on "
			   "-blockdev driver=qcow2,node-name=q,file=f,cache.no-flush=on"),
		     0);
	cr_assert(o.drives.spec[0].used && !o.drives.spec[1].used);
	cr_assert_str_eq(o.drives.spec[1].file, "x");
	cr_assert(o.drives.spec[1].opt.read_only && o.drives.spec[1].opt.no_flush);
	cr_assert_eq(parse(&o,
			   "-blockdev {\"driver\":\"qcow2\",\"node-name\":\"j\",\"read-only\":true,"
			   "\"cache\":{\"direct\":true},"
			   "\"file\":{\"driver\":\"file\",\"filename\":\"a,b\"}}"),
		     0);
	s = &o.drives.spec[0];
	cr_assert_str_eq(s->id, "j");
	cr_assert_str_eq(s->format, "qcow2");
	cr_assert_str_eq(s->file, "a,b");
	cr_assert(s->opt.read_only && s->opt.direct);
}

Test(options, defaults_of_devices_are_values)
{
	for (size_t t = 0; device_types[t]; t++) {
		const struct device_type *type = device_types[t];

		for (int i = 0; type->props && type->props[i].name; i++) {
			const struct prop *p = &type->props[i];
			struct device_spec s;
			char err[256] = "";

			device_spec_init(&s, type);
			if (p->def)
				cr_expect_eq(device_spec_set(&s, p->name, p->def, err, sizeof(err)),
					     0, "%s", err);
		}
	}
}

Test(options, what_the_machine_is_called)
{
	struct options o;

	cr_assert_eq(parse(&o,
			   "-smbios type=1,serial=a,,b,uuid=00112233-4455-6677-8899-AABBCCDDEEFF "
			   "-smbios type=11,value=x,value=y -smbios type=0,vendor=me "
			   "-fw_cfg opt/a/b,string=c=d -fw_cfg name=opt/e,file=/f"),
		     0, "%s", err);
	cr_expect_str_eq(o.smbios.text[SMBIOS_SERIAL], "a,b");
	cr_expect(o.smbios.bios && o.smbios.has_uuid && o.smbios.uuid[15] == 0xff);
	cr_expect_eq(o.smbios.nr_oem, 2);
	cr_expect_str_eq(o.smbios.oem[1], "y");
	cr_expect_eq(o.nr_fw_files, 2);
	cr_expect_str_eq(o.fw_file[0].string, "c=d");
	cr_expect_str_eq(o.fw_file[1].path, "/f");
	refused("-uuid 00112233", "a UUID is as in");
	refused("-uuid 00112233-4455-6677-8899-AABBCCDDEEFG", "a UUID is as in");
	refused("-uuid 00112233-4455-6677-8899-AABBCCDDEEFF0", "a UUID is as in");
	refused("-smbios manufacturer=x", "the type comes first");
	refused("-smbios type=17,serial=x", "type=17 is not supported");
	refused("-smbios type=x", "type=x is not supported");
	refused("-smbios type=3,product=x", "there are manufacturer, version");
	refused("-smbios type=11,value", "value=TEXT");
	refused("-fw_cfg etc/e820,string=x", "begin with opt/");
	refused("-fw_cfg opt/a", "wants a name and either");
	refused("-fw_cfg opt/a,string=x,file=y", "wants a name and either");
	refused("-fw_cfg opt/a,size=3", "size is not known");
	refused("-fw_cfg opt/0123456789012345678901234567890123456789012345678901,string=x",
		"at most 55");
}
