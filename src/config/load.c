/* The order of a load: defaults, file, environment, flags, derived settings, rules. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "headless/config/watch.h"
#include "loader.h"

/* Read all of a descriptor. Returns 0, a negative errno, or -EFBIG past CONFIG_FILE_BYTES_MAX. */
static int load_read_all(int fd, char *text, size_t *ret_length)
{
    size_t length = 0;
    ssize_t n;

    do {
        n = read(fd, text + length, CONFIG_FILE_BYTES_MAX + 1 - length);
        if (n > 0)
            length += (size_t)n;
    } while ((n > 0 && length <= CONFIG_FILE_BYTES_MAX) || (n < 0 && errno == EINTR));
    if (n < 0)
        return -errno;
    if (length > CONFIG_FILE_BYTES_MAX)
        return -EFBIG;
    *ret_length = length;
    return 0;
}

/* A pipe is read once, at the start: at a reload it could block the thread that handles signals. */
static int load_check_regular(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (S_ISDIR(status.st_mode))
        return -EISDIR;
    return S_ISREG(status.st_mode) ? 0 : -ENOTSUP;
}

/* The caller frees *ret_text. */
static int load_file(const char *path, bool is_reload, char **ret_text, size_t *ret_length)
{
    char *text;
    int rc, fd;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (is_reload ? O_NONBLOCK : 0));
    if (fd < 0)
        return -errno;
    rc = is_reload ? load_check_regular(fd) : 0;
    text = rc ? NULL : malloc(CONFIG_FILE_BYTES_MAX + 1);
    if (!rc)
        rc = text ? load_read_all(fd, text, ret_length) : -ENOMEM;
    (void)close(fd);
    if (rc) {
        free(text);
        return rc;
    }
    *ret_text = text;
    return 0;
}

/* Editors, full disks and failed templates leave such files, whose missing lines would set options
 * to their defaults. */
static void refuse_incomplete(struct loader *l)
{
    const struct config_set *before = l->before;

    if (!before)
        return;
    if (l->set->file_options == 0 && before->file_options > 0 && l->error_count == 0)
        loader_error(l, l->set->path,
                     "the file sets no option any more, which would set all of them to their "
                     "defaults: if that is wanted, write one of them at its default");
    else if (before->ends_with_newline && !l->set->ends_with_newline)
        loader_error(l, l->set->path,
                     "the last line does not end with a newline any more: the file may be "
                     "incomplete, otherwise end it with one");
}

static int load_text(struct loader *l, const char *text, size_t length)
{
    int rc;

    l->set->digest = config_digest(text, length);
    l->set->ends_with_newline = length > 0 && text[length - 1] == '\n';
    if (l->expected && l->expected != l->set->digest)
        return -EAGAIN;
    rc = config_read_yaml(l, text, length);
    refuse_incomplete(l);
    return rc;
}

int config_read_file(struct loader *l)
{
    char *text = NULL;
    char reason[128];
    size_t length = 0;
    int rc;

    if (!l->set->path)
        return 0;
    rc = load_file(l->set->path, l->before != NULL, &text, &length);
    if (rc && l->expected)
        return -EAGAIN;
    if (rc == -EFBIG)
        loader_error(l, l->set->path, "is larger than 1MiB");
    else if (rc == -ENOTSUP)
        loader_error(l, l->set->path, "is no regular file: it is read at the start only");
    else if (rc)
        loader_error(l, l->set->path, "%s", strerror_r(-rc, reason, sizeof(reason)));
    else
        rc = load_text(l, text, length);
    free(text);
    return rc;
}

static int conclude(struct loader *l)
{
    config_derive(&l->set->values);
    config_check(l);
    return loader_finish(l);
}

static struct config_set *create(int argc, char *const argv[])
{
    struct config_set *set = calloc(1, sizeof(*set));

    if (set) {
        set->argc = argc;
        set->argv = argv;
    }
    return set;
}

static int load_sources(struct config_set *set, struct loader *l)
{
    int file_rc, rc;

    l->set = set;
    config_read_defaults(l);
    file_rc = config_read_file(l);
    if (file_rc == -EAGAIN)
        return file_rc;
    config_read_environment(l);
    config_read_flags(l);
    rc = conclude(l);
    return file_rc ? file_rc : rc;
}

/* Give the set to the caller, or destroy it if its load failed. */
static int load_conclude_set(int rc, struct config_set *set, struct config_set **ret_set)
{
    if (rc)
        config_destroy(set);
    else
        *ret_set = set;
    return rc;
}

int config_load(int argc, char *const argv[], FILE *errors, struct config_set **ret_set,
                enum config_mode *ret_mode)
{
    struct config_set *set = create(argc, argv);
    struct loader l = {.errors = errors};
    enum config_mode mode;
    int rc = 0;

    if (!set)
        return -ENOMEM;
    config_scan_flags(set, &mode);
    if (config_answers_alone(mode)) {
        config_destroy(set);
        *ret_set = NULL;
    } else {
        rc = load_conclude_set(load_sources(set, &l), set, ret_set);
    }
    if (rc == 0)
        *ret_mode = mode;
    return rc;
}

int config_load_text(const char *text, size_t length, const char *name, FILE *errors,
                     struct config_set **ret_set)
{
    struct config_set *set = create(0, NULL);
    struct loader l = {.set = set, .errors = errors};
    int yaml_rc, rc;

    if (!set)
        return -ENOMEM;
    set->path = name;
    config_read_defaults(&l);
    yaml_rc = config_read_yaml(&l, text, length);
    rc = conclude(&l);
    return load_conclude_set(yaml_rc ? yaml_rc : rc, set, ret_set);
}

int config_reload(const struct config_set *before, uint64_t *digest, FILE *errors,
                  struct config_set **ret_set)
{
    struct config_set *set = create(before->argc, before->argv);
    struct loader l = {.errors = errors, .expected = *digest, .before = before};
    int rc;

    if (!set)
        return -ENOMEM;
    set->path = before->path;
    rc = load_sources(set, &l);
    *digest = set->digest;
    return load_conclude_set(rc, set, ret_set);
}

void config_destroy(struct config_set *set)
{
    free(set);
}

const struct config *config_values(const struct config_set *set)
{
    return &set->values;
}

const char *config_path(const struct config_set *set)
{
    return set->path;
}

uint64_t config_digest_of(const struct config_set *set)
{
    return set->digest;
}

size_t config_list_renamed(const struct config_set *set,
                           void (*each)(const char *was, const char *is, void *context),
                           void *context)
{
    char was[OPTION_NAME_MAX], is[OPTION_NAME_MAX];
    size_t count = 0;

    for (size_t i = 0; i < config_option_count; i++) {
        struct origin present = set->origins[i];

        if (!present.former)
            continue;
        present.former = NULL;
        each(loader_spell(i, &set->origins[i], was), loader_spell(i, &present, is), context);
        count++;
    }
    return count;
}

size_t config_diff(const struct config_set *before, const struct config_set *after,
                   void (*each)(const char *option, bool reloadable, void *context), void *context)
{
    size_t count = 0;

    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];

        if (value_equal(o, &before->values, &after->values))
            continue;
        each(o->key, o->reloadable, context);
        count++;
    }
    return count;
}
