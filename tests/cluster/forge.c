/*
 * forge: makes messages as pods send them, for an attacker without a key of the cluster.
 *
 *   forge [OPTION...] peer|frame|text TYPE SOURCE_IP:PORT TO_IP:PORT >> TAPE
 *
 * Writes one message, as it leaves a pod, to a tape (tape.h) at standard output, for hostile to
 * send. Peer TYPE: of enum election_message_type, or 64, a handshake_message; frame TYPE: of enum
 * frame_type; text is the payload alone.
 *
 *   -c NAME       cluster (default headless)
 *   -f INSTANCE -t INSTANCE -l INSTANCE   sender, receiver and leader in it, as 16 hex digits
 *   -e TERM -g FLAGS                      numbers; flags of enum election_flag
 *   -C IP:PORT    client of the frame's record (default 10.0.0.1:40000); -p TEXT payload
 *   -S            sealed, with a new random key
 *   -K ID         sealed with it, but with the key id ID (hex digits) in the message
 *
 * Exit code: 0, 1 failed, 2 usage.
 */
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "headless/base/bytes.h"
#include "headless/secure/seal.h"
#include "headless/wire/frame.h"
#include "headless/wire/handshake_message.h"
#include "tape.h"

#define PAYLOAD_MAX 1024
#define COUNTER     1000000 /* above the counter of any legitimate sender */

struct making {
    const char *cluster, *payload;
    uint64_t from, to, leader, term;
    uint16_t flags;
    uint8_t type;
    struct address client, source, target;
    bool is_sealed;
    uint32_t key_id; /* 0: id of the key itself */
};

static void usage(void)
{
    (void)fputs(
        "usage: forge [OPTION...] peer|frame|text TYPE SOURCE:PORT TO:PORT; see its source\n",
        stderr);
    exit(2);
}

static void parse_address(const char *text, struct address *ret_address)
{
    if (address_parse(text, 0, ret_address) || ret_address->family != ADDRESS_V4)
        usage();
}

static void take_option(struct making *m, int option)
{
    switch (option) {
    case 'c':
        m->cluster = optarg;
        break;
    case 'f':
        m->from = strtoull(optarg, NULL, 16);
        break;
    case 't':
        m->to = strtoull(optarg, NULL, 16);
        break;
    case 'l':
        m->leader = strtoull(optarg, NULL, 16);
        break;
    case 'e':
        m->term = strtoull(optarg, NULL, 0);
        break;
    case 'g':
        m->flags = (uint16_t)strtoul(optarg, NULL, 0);
        break;
    case 'C':
        parse_address(optarg, &m->client);
        break;
    case 'p':
        m->payload = optarg;
        break;
    case 'K':
        m->key_id = (uint32_t)strtoul(optarg, NULL, 16);
        m->is_sealed = true;
        break;
    case 'S':
        m->is_sealed = true;
        break;
    default:
        usage();
    }
}

static size_t make_handshake(const struct making *m, uint8_t *out)
{
    const struct handshake_message handshake_message = {.from = m->from,
                                                        .to = m->to,
                                                        .nonce = 1,
                                                        .address = address_with_port(m->source, 0),
                                                        .suites = 1 << SEAL_CHACHA20_POLY1305,
                                                        .key_count = 1,
                                                        .keys = {m->key_id ? m->key_id : 1}};

    handshake_message_put(out, frame_cluster_id(m->cluster), &handshake_message);
    return HANDSHAKE_MESSAGE_BYTES;
}

static size_t make_peer(const struct making *m, uint8_t *out)
{
    const struct election_message message = {.type = m->type,
                                             .member_count = 1,
                                             .misses = 4,
                                             .flags = m->flags,
                                             .count = 3,
                                             .floor = 3,
                                             .from = m->from,
                                             .to = m->to,
                                             .term = m->term,
                                             .seen = m->term,
                                             .leader = m->leader,
                                             .deposed_term = m->term - 1,
                                             .stamp_ns = 1,
                                             .interval_ns = 200000000,
                                             .list = {.term = m->term, .version = 1},
                                             .leader_address = address_with_port(m->source, 0),
                                             .live = {7},
                                             .ready = {7}};
    const struct election_member member = {.instance = m->from,
                                           .address = address_with_port(m->source, 0),
                                           .name = {"forged"},
                                           .is_eligible = true};

    if (m->type == PEER_HANDSHAKE)
        return make_handshake(m, out);
    return peer_put(out, frame_cluster_id(m->cluster), &message, &member);
}

static size_t make_frame(const struct making *m, uint8_t *out)
{
    const struct frame_header header = {.type = m->type,
                                        .hops = 1,
                                        .cluster = frame_cluster_id(m->cluster),
                                        .instance = m->from,
                                        .term = m->term,
                                        .sequence = COUNTER};
    const struct record record = {
        .client = m->client, .local = m->target, .tag = 1, .length = (uint16_t)strlen(m->payload)};
    size_t bytes = FRAME_HEADER_BYTES;

    frame_put_header(out, &header);
    memset(out + bytes, 0, frame_body_bytes(m->type));
    bytes += frame_body_bytes(m->type);
    bytes += record_put_header(out + bytes, &record);
    memcpy(out + bytes, m->payload, record.length);
    return bytes + record.length;
}

/* The plain message is at buffer + SEAL_BLOCK_BYTES. */
static size_t seal(const struct making *m, bool is_frame, uint8_t *buffer, size_t length)
{
    struct nonce_space nonce_space;
    struct key key;
    char text[KEY_TEXT_BYTES];

    key_draw(text);
    if (!key_parse(text, &key))
        exit(1);
    if (m->key_id)
        key.id = m->key_id;
    nonce_space_init(&nonce_space, is_frame ? KEY_FOR_FRAMES : KEY_FOR_PEER, m->from, 0);
    if (is_frame)
        frame_put_sealed(buffer + SEAL_BLOCK_BYTES, true);
    else
        peer_put_sealed(buffer + SEAL_BLOCK_BYTES, true);
    return seal_wrap(&nonce_space, &key, SEAL_CHACHA20_POLY1305, COUNTER,
                     is_frame ? m->to : COUNTER, buffer, length);
}

static size_t make_body(const struct making *m, const char *kind, uint8_t *out)
{
    bool is_frame = strcmp(kind, "frame") == 0;
    uint8_t *plain = out + (m->is_sealed ? SEAL_BLOCK_BYTES : 0);
    size_t length;

    if (strcmp(kind, "text") == 0) {
        memcpy(out, m->payload, strlen(m->payload));
        return strlen(m->payload);
    }
    if (!is_frame && strcmp(kind, "peer") != 0)
        usage();
    length = (is_frame ? make_frame : make_peer)(m, plain);
    return m->is_sealed ? seal(m, is_frame, out, length) : length;
}

int main(int argc, char **argv)
{
    struct making m = {.cluster = "headless", .payload = "forged", .from = 1, .term = 1};
    static struct tape_datagram datagram;
    int option;

    parse_address("10.0.0.1:40000", &m.client);
    while ((option = getopt(argc, argv, "c:f:t:l:e:g:C:p:K:S")) != -1)
        take_option(&m, option);
    if (argc - optind != 4 || strlen(m.payload) > PAYLOAD_MAX || sodium_init() < 0)
        usage();
    m.type = (uint8_t)strtoul(argv[optind + 1], NULL, 10);
    parse_address(argv[optind + 2], &m.source);
    parse_address(argv[optind + 3], &m.target);
    datagram.head = (struct tape_head){.source_port = m.source.port, .target_port = m.target.port};
    memcpy(datagram.head.source, m.source.ip, 4);
    memcpy(datagram.head.target, m.target.ip, 4);
    datagram.head.length = (uint16_t)make_body(&m, argv[optind], datagram.payload);
    return tape_write(stdout, &datagram) && fflush(stdout) == 0 ? 0 : 1;
}
