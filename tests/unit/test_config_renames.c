/* Options that were renamed: the former key, flag and variable work for one release. */
#include "config_fixture.h"

TestSuite(config_renames, .init = clear_environment, .timeout = 30);

static char listed[256];

static void list_rename(const char *was, const char *is, void *context)
{
    size_t n = strlen(listed);

    (void)context;
    (void)snprintf(listed + n, sizeof(listed) - n, "%s>%s ", was, is);
}

/* "WAS>IS " of each option that was set by its former name. */
static const char *renamed(const struct loaded *l)
{
    listed[0] = '\0';
    cr_assert_eq(config_list_renamed(l->set, list_rename, NULL) == 0, listed[0] == '\0');
    return listed;
}

#define expect_renamed(expected_value, expected_names, ...)     \
    do {                                                        \
        struct loaded l;                                        \
        load_flags(&l, __VA_ARGS__);                            \
        cr_assert_eq(l.rc, 0, "%s", l.errors);                  \
        cr_expect_str_empty(l.errors);                          \
        cr_expect_str_eq(dumped(l.set, "gso"), expected_value); \
        cr_expect_str_eq(renamed(&l), expected_names);          \
        unload(&l);                                             \
    } while (0)

Test(config_renames, former_key_sets_the_option_and_is_listed)
{
    struct loaded l;

    load_text(&l, "batch: 8\ntrain: 16\n");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    cr_expect_str_empty(l.errors);
    cr_expect_str_eq(dumped(l.set, "gso"), "16 # t.yaml:2");
    cr_expect_str_eq(renamed(&l), "train>gso ");
    unload(&l);
}

Test(config_renames, former_flag_sets_the_option_and_is_listed)
{
    expect_renamed("16 # --train", "train>gso ", "--train=16");
    expect_renamed("16 # --train", "train>gso ", "--train", "16");
}

Test(config_renames, former_variable_sets_the_option_and_is_listed)
{
    (void)setenv("HEADLESSD_TRAIN", "16", 1);
    expect_renamed("16 # HEADLESSD_TRAIN", "HEADLESSD_TRAIN>HEADLESSD_GSO ", "--batch=8");
}

Test(config_renames, present_name_is_not_listed)
{
    expect_renamed("64 # default", "", "--batch=8");
    expect_renamed("16 # --gso", "", "--gso=16");
    (void)setenv("HEADLESSD_GSO", "16", 1);
    expect_renamed("16 # HEADLESSD_GSO", "", "--batch=8");
}

Test(config_renames, former_and_present_name_in_one_place_are_refused)
{
    expect_text_refused("gso: 8\ntrain: 16\n", "t.yaml:2: train: already set in line 1, as gso\n");
    expect_text_refused("train: 16\ngso: 8\n", "t.yaml:2: gso: already set in line 1, as train\n");
    expect_flags_refused("--train: already set as --gso\n", "--gso=8", "--train=8");
    expect_flags_refused("--gso: already set as --train\n", "--train=8", "--gso=8");
    (void)setenv("HEADLESSD_TRAIN", "8", 1);
    (void)setenv("HEADLESSD_GSO", "8", 1);
    expect_flags_refused("HEADLESSD_TRAIN: already set as HEADLESSD_GSO\n", "--batch=8");
}

Test(config_renames, former_name_twice_is_refused_as_ever)
{
    expect_text_refused("train: 8\ntrain: 16\n", "t.yaml:2: train: already set in line 1\n");
    expect_flags_refused("--train: given twice\n", "--train=8", "--train=8");
}

/* Whichever name each uses. */
Test(config_renames, stronger_source_beats_weaker_one)
{
    (void)setenv("HEADLESSD_TRAIN", "8", 1);
    expect_renamed("16 # --gso", "", "--gso=16");
    expect_renamed("16 # --train", "train>gso ", "--train=16");
}

Test(config_renames, error_names_what_was_written)
{
    expect_text_refused("train: 0\n", "t.yaml:1: train: \"0\" is out of range 1..64\n");
    expect_flags_refused("--train: \"65\" is out of range 1..64\n", "--train=65");
    (void)setenv("HEADLESSD_TRAIN", "many", 1);
    expect_flags_refused("HEADLESSD_TRAIN: \"many\" is not a whole number\n", "--batch=8");
}
