/* filter_position.c - where the mistake in a capture filter is, which libpcap knows and doesn't tell.
 * Its parser reads from left to right, so the mistake is the first word with which the text so far can no longer be
 * the beginning of a filter: that is tried out, word by word, with endings that would make it whole. */
#include "filter_position.h"

#include <ctype.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

enum { PATIENCE_MS = 250, ENDING = 64 };   /* host names in a filter are looked up anew by each trial */

typedef struct {
    pcap_t *pcap;            /* owned by the caller */
    const char *text;        /* the filter */
    char *trial;             /* room for text and an ending */
    struct timespec begun;
} trials;

static bool
is_operator(char c)
{
    return strchr("()[]!&|<>=+*%^", c) != NULL;
}

/* The word at or after `at`: its offset; *length is 0 at the end of the text. */
static size_t
next_word(const char *text, size_t at, size_t *length)
{
    while (isspace((unsigned char)text[at])) {
        at++;
    }
    size_t end = at;
    if (text[end] != '\0' && is_operator(text[end])) {
        end++;
        if ((text[at] != '(' && text[at] != ')' && text[at] != '[' && text[at] != ']')
            && (text[end] == '=' || text[end] == text[at])) {
            end++;
        }
    } else {
        while (text[end] != '\0' && !isspace((unsigned char)text[end]) && !is_operator(text[end])) {
            end++;
        }
    }
    *length = end - at;
    return at;
}

static bool
out_of_time(const trials *self)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - self->begun.tv_sec) * 1000 + (now.tv_nsec - self->begun.tv_nsec) / 1000000 > PATIENCE_MS;
}

/* Compiles the first `length` bytes and an ending. libpcap's message, "" when it compiles. */
static const char *
try_with(trials *self, size_t length, const char *ending)
{
    struct bpf_program program;
    size_t parentheses = 0;
    memcpy(self->trial, self->text, length);
    size_t used = length + (size_t)snprintf(self->trial + length, ENDING, "%s", ending);
    for (size_t i = 0; i < used; i++) {
        if (self->trial[i] == '(') {
            parentheses++;
        } else if (self->trial[i] == ')' && parentheses > 0) {
            parentheses--;
        }
    }
    memset(self->trial + used, ')', parentheses);
    self->trial[used + parentheses] = '\0';
    if (pcap_compile(self->pcap, &program, self->trial, 0, 0) != 0) {
        return pcap_geterr(self->pcap);
    }
    pcap_freecode(&program);
    return "";
}

static bool
is_syntax(const char *message)
{
    return strstr(message, "syntax error") != NULL;
}

/* Whether some filter begins with the first `length` bytes. */
static bool
can_begin(trials *self, size_t length)
{
    static const char *const endings[] = {
        "", " 1", " tcp", " = 1", " 1 = 1", "] = 1", " 1] = 1", " : 1] = 1", " host 1.1.1.1", " 1.1.1.1", " port 1",
        " 1-2", " dst 1.1.1.1", " net 1.1.1.0/24", " mask 255.0.0.0", " 1:2:3:4:5:6", " mgt", " in", " and tcp", " proto 1",
        " multicast", " type mgt", " 1 or tcp",
    };
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (!is_syntax(try_with(self, length, endings[i]))) {
            return true;
        }
    }
    return false;
}

static void
find(trials *self, wp_error *error)
{
    bool syntax = is_syntax(error->message);
    size_t length, at = next_word(self->text, 0, &length);
    while (length > 0) {
        if (out_of_time(self)) {
            return;
        }
        size_t end = at + length;
        if (syntax ? !can_begin(self, end) : strcmp(try_with(self, end, ""), error->message) == 0) {
            break;
        }
        at = next_word(self->text, end, &length);
    }
    if (length > 0 || syntax) {   /* a whole beginning of a filter: what is wrong is that it ends */
        error->position = (int64_t)at;
        error->span = (int64_t)length;
    }
}

/* The word that libpcap's message quotes, if the filter has it once. */
static bool
find_quoted(const char *text, wp_error *error)
{
    char word[256];
    const char *open = strchr(error->message, '\'');
    const char *close = open == NULL ? NULL : strchr(open + 1, '\'');
    if (close == NULL || close - open < 2 || close - open > (long)sizeof word) {
        return false;
    }
    size_t length = (size_t)(close - open - 1);
    memcpy(word, open + 1, length);
    word[length] = '\0';
    const char *found = strstr(text, word);
    if (found == NULL || strstr(found + 1, word) != NULL) {
        return false;
    }
    error->position = found - text;
    error->span = (int64_t)length;
    return true;
}

void
wp_filter_position(int linktype, int snaplen, const char *text, wp_error *error)
{
    if (find_quoted(text, error)) {
        return;
    }
    size_t length = strlen(text);
    trials self = {.text = text};
    self.pcap = pcap_open_dead(linktype, snaplen);
    self.trial = malloc(2 * length + ENDING + 8);   /* each "(" may need its ")" */
    if (self.pcap != NULL && self.trial != NULL) {
        clock_gettime(CLOCK_MONOTONIC, &self.begun);
        find(&self, error);
    }
    free(self.trial);
    if (self.pcap != NULL) {
        pcap_close(self.pcap);
    }
}
