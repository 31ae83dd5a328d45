/* Two libnice agents that may use relayed addresses only find each other through a TURN server; one sends messages,
 * the other sends each of them back.
 *
 *   libnice_pair SERVER PORT udp|tcp USER PASSWORD MESSAGES BYTES
 *
 * Prints the selected pair of either agent as "local/remote", then the number of messages that came back.
 */

#include <nice/agent.h>
#include <stdlib.h>
#include <string.h>

enum { COMPONENT = 1, AGENTS = 2, SENDER = 0 };
/* A bit for each agent. */
enum { BOTH = 3 };

static NiceAgent *agents[AGENTS];
static guint streams[AGENTS];
static guint ready, gathered, closed;
static guint messages, message_bytes, returned;
static GMainLoop *loop;

static void fail(const char *what)
{
    g_printerr("libnice_pair: %s\n", what);
    exit(1);
}

/* A message is its number again and again, so that none can pass for another. */
static void fill(guchar *message, guint number)
{
    for (guint at = 0; at < message_bytes; at++)
        message[at] = number >> (at % 4 * 8);
}

static void send_message(guint number)
{
    guchar *message = g_malloc(message_bytes);
    fill(message, number);
    gint sent = nice_agent_send(agents[SENDER], streams[SENDER], COMPONENT, message_bytes, (gchar *)message);
    if (sent != (gint)message_bytes)
        fail("a message was not taken");
    g_free(message);
}

static const char *type_name(NiceCandidate *candidate)
{
    switch (candidate->type) {
    case NICE_CANDIDATE_TYPE_HOST:
        return "host";
    case NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE:
        return "srflx";
    case NICE_CANDIDATE_TYPE_PEER_REFLEXIVE:
        return "prflx";
    case NICE_CANDIDATE_TYPE_RELAYED:
        return "relay";
    }
    return "unknown";
}

static void on_closed(GObject *source, GAsyncResult *result, gpointer data)
{
    (void)source, (void)result, (void)data;
    if (++closed == AGENTS)
        g_main_loop_quit(loop);
}

/* Closing gives the allocations back. */
static void finish(void)
{
    for (int i = 0; i < AGENTS; i++) {
        NiceCandidate *local, *remote;
        if (!nice_agent_get_selected_pair(agents[i], streams[i], COMPONENT, &local, &remote))
            fail("no pair is selected");
        g_print("%s/%s\n", type_name(local), type_name(remote));
        nice_agent_close_async(agents[i], on_closed, NULL);
    }
}

static void on_returned(NiceAgent *agent, guint stream, guint component, guint len, gchar *bytes, gpointer data)
{
    (void)agent, (void)stream, (void)component, (void)data;
    guchar *expected = g_malloc(message_bytes);
    fill(expected, returned);
    if (len != message_bytes || memcmp(bytes, expected, len) != 0)
        fail("a message came back changed, twice or out of turn");
    g_free(expected);
    if (++returned < messages)
        send_message(returned);
    else
        finish();
}

static void on_message(NiceAgent *agent, guint stream, guint component, guint len, gchar *bytes, gpointer data)
{
    (void)data;
    if (nice_agent_send(agent, stream, component, len, bytes) != (gint)len)
        fail("an echo was not taken");
}

static void on_state(NiceAgent *agent, guint stream, guint component, guint state, gpointer number)
{
    (void)agent, (void)stream, (void)component;
    if (state == NICE_COMPONENT_STATE_FAILED)
        fail("ICE failed");
    if (state != NICE_COMPONENT_STATE_READY || ready == BOTH)
        return;
    ready |= 1 << GPOINTER_TO_INT(number);
    if (ready == BOTH)
        send_message(0);
}

/* What signalling would do: each is told the other's credentials and candidates. */
static void on_gathered(NiceAgent *agent, guint stream, gpointer data)
{
    (void)agent, (void)stream, (void)data;
    if (++gathered < AGENTS)
        return;
    for (int i = 0; i < AGENTS; i++) {
        int other = 1 - i;
        gchar *name, *password;
        GSList *candidates = nice_agent_get_local_candidates(agents[i], streams[i], COMPONENT);
        if (candidates == NULL)
            fail("the server gave no relayed address");
        nice_agent_get_local_credentials(agents[i], streams[i], &name, &password);
        nice_agent_set_remote_credentials(agents[other], streams[other], name, password);
        nice_agent_set_remote_candidates(agents[other], streams[other], COMPONENT, candidates);
        g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
        g_free(name);
        g_free(password);
    }
}

static gboolean on_too_late(gpointer data)
{
    (void)data;
    fail(gathered < AGENTS ? "gathering took too long" : ready != BOTH ? "ICE took too long" : "a message was lost");
    return G_SOURCE_REMOVE;
}

static void start(int i, char **argv)
{
    NiceRelayType relay = strcmp(argv[3], "tcp") == 0 ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP;
    agents[i] = nice_agent_new(NULL, NICE_COMPATIBILITY_RFC5245);
    g_object_set(agents[i], "force-relay", TRUE, "upnp", FALSE, "controlling-mode", i == SENDER, NULL);
    g_signal_connect(agents[i], "candidate-gathering-done", G_CALLBACK(on_gathered), NULL);
    g_signal_connect(agents[i], "component-state-changed", G_CALLBACK(on_state), GINT_TO_POINTER(i));
    streams[i] = nice_agent_add_stream(agents[i], 1);
    if (!nice_agent_set_relay_info(agents[i], streams[i], COMPONENT, argv[1], atoi(argv[2]), argv[4], argv[5], relay))
        fail("SERVER is no address");
    NiceAgentRecvFunc receive = i == SENDER ? on_returned : on_message;
    nice_agent_attach_recv(agents[i], streams[i], COMPONENT, NULL, receive, NULL);
    if (!nice_agent_gather_candidates(agents[i], streams[i]))
        fail("gathering could not begin");
}

int main(int argc, char **argv)
{
    if (argc != 8)
        fail("usage: libnice_pair SERVER PORT udp|tcp USER PASSWORD MESSAGES BYTES");
    messages = atoi(argv[6]);
    message_bytes = atoi(argv[7]);
    loop = g_main_loop_new(NULL, FALSE);
    for (int i = 0; i < AGENTS; i++)
        start(i, argv);
    /* Much longer than all of it takes. */
    g_timeout_add_seconds(30, on_too_late, NULL);
    g_main_loop_run(loop);
    g_print("%u\n", returned);
    for (int i = 0; i < AGENTS; i++)
        g_object_unref(agents[i]);
    g_main_loop_unref(loop);
    return 0;
}
