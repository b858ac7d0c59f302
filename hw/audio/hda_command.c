/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Commands to codecs, and what they answer (High Definition Audio 1.0a, 4.4): by two rings in memory, the
 * command outbound ring buffer and the response inbound ring buffer, or by registers, one at a time.
 */
#include "hw/audio/hda_impl.h"

enum { RING = 256 };

/* False: there is no codec of that address. */
static bool send(struct hda *h, uint32_t command, uint32_t *response)
{
	unsigned address = command >> 28;
	struct hda_codec *c = address < HDA_CODECS ? h->bus.codec[address] : NULL;

	if (!c)
		return false;
	*response = hda_codec_command(c, command);
	return true;
}

static void tell(struct hda *h)
{
	h->responses = 0;
	h->reg[RIRBSTS] |= RIRBSTS_RINTFL;
}

static void respond(struct hda *h, unsigned address, uint32_t response)
{
	uint32_t count = h->reg[RINTCNT] ? h->reg[RINTCNT] : RING;
	uint8_t raw[8];

	if (!(h->reg[RIRBCTL] & RIRBCTL_DMA))
		return;
	h->reg[RIRBWP] = (h->reg[RIRBWP] + 1) % RING;
	pci_set32(raw, response);
	pci_set32(raw + 4, address);
	pci_dma_write(&h->func, hda_addr(&h->reg[RIRBLBASE]) + sizeof(raw) * h->reg[RIRBWP], raw,
		      sizeof(raw));
	if (++h->responses >= count)
		tell(h);
}

void hda_commands(struct hda *h)
{
	uint64_t base = hda_addr(&h->reg[CORBLBASE]);

	for (unsigned n = 0; n < RING; n++) {
		unsigned rp = (h->reg[CORBRP] + 1) % RING;
		uint32_t command, response;
		uint8_t raw[4];

		if (!(h->reg[CORBCTL] & CORBCTL_RUN) || h->reg[CORBRP] == h->reg[CORBWP] ||
		    h->reg[CORBRP] & CORBRP_RST)
			break;
		if (pci_dma_read(&h->func, base + sizeof(raw) * rp, raw, sizeof(raw)) < 0) {
			h->reg[CORBCTL] &= ~(uint32_t)CORBCTL_RUN;
			h->reg[CORBSTS] |= 1;
			break;
		}
		h->reg[CORBRP] = rp;
		command = pci_get32(raw);
		if (send(h, command, &response))
			respond(h, command >> 28, response);
	}
	/* Nothing more is to come. */
	if (h->responses)
		tell(h);
	hda_update_irq(h);
}

void hda_immediate(struct hda *h)
{
	uint32_t command = h->reg[IC];

	h->reg[ICS] &= ~(uint32_t)(ICS_BUSY | ICS_VALID | 0xf0);
	if (send(h, command, &h->reg[IR]))
		h->reg[ICS] |= ICS_VALID | (command >> 28) << 4;
}
