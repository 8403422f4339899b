#include "pipelines/rtp/admission.h"

#include "pipelines/rtp/block.h"
#include "tests/support/test.h"

static void no_more_are_taken_in_than_set (void **state)
{
  (void) state;
  Admission admission = { .viewers_max = 2 };
  assert_true (admission_take (&admission));
  assert_true (admission_take (&admission));
  assert_false (admission_take (&admission));
  assert_int_equal (admission.refused[REFUSED_VIEWERS], 1);
  admission_release (&admission);
  assert_true (admission_take (&admission));
  assert_int_equal (admission.viewers, 2);
}

static void nobody_is_taken_in_when_memory_is_nearly_spent (void **state)
{
  (void) state;
  enum { BLOCKS = 16 };
  Admission admission = { .viewers_max = 2 };
  BlockPool *pool = block_pool_new ();
  Block *blocks[BLOCKS];
  block_budget_set (BLOCKS * sizeof (Block));
  for (guint i = 0; i < BLOCKS; i++) {
    assert_true (block_pool_has_room (pool));
    assert_int_equal (admission_strain (&admission), i < BLOCKS - BLOCKS / 8 ? REFUSED_NOT : REFUSED_MEMORY);
    blocks[i] = block_new (pool);
  }
  assert_false (block_pool_has_room (pool));
  assert_false (admission_take (&admission));
  assert_int_equal (admission.refused[REFUSED_MEMORY], 1);
  assert_int_equal (admission.viewers, 0);
  for (guint i = 0; i < BLOCKS; i++)
    block_unref (blocks[i]);
  assert_true (block_pool_has_room (pool));
  assert_true (admission_take (&admission));
  block_pool_free (pool);
  block_budget_set (0);
}

static void two_pools_share_the_budget (void **state)
{
  (void) state;
  BlockPool *one = block_pool_new (), *other = block_pool_new ();
  block_budget_set (sizeof (Block));
  Block *block = block_new (one);
  assert_false (block_pool_has_room (other));
  block_unref (block);
  assert_true (block_pool_has_room (one));    /* what it has kept */
  assert_false (block_pool_has_room (other)); /* for the system has not got it back */
  block_pool_trim (one);
  block_pool_trim (one);
  assert_true (block_pool_has_room (other));
  block_pool_free (one);
  block_pool_free (other);
  block_budget_set (0);
}

static void nobody_is_taken_in_while_a_loop_has_been_late_for_seconds (void **state)
{
  (void) state;
  Admission admission = { .viewers_max = 2 };
  Lateness late = { 0 }, other = { 0 };
  static const struct {
    gint64 late_ms;
    Refusal then;
  } seconds[] = { { 300, REFUSED_NOT }, { 300, REFUSED_NOT }, { 100, REFUSED_NOT }, { 201, REFUSED_NOT }, { 201, REFUSED_NOT },
                  { 201, REFUSED_LOAD }, { 900, REFUSED_LOAD }, { 0, REFUSED_LOAD }, { 0, REFUSED_LOAD }, { 300, REFUSED_LOAD },
                  { 0, REFUSED_LOAD }, { 0, REFUSED_LOAD }, { 0, REFUSED_NOT } };
  for (gsize i = 0; i < G_N_ELEMENTS (seconds); i++) {
    admission_note_lateness (&admission, &late, seconds[i].late_ms * 1000);
    admission_note_lateness (&admission, &other, 0);
    assert_int_equal (admission_strain (&admission), seconds[i].then);
  }
}

int main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (no_more_are_taken_in_than_set),
    cmocka_unit_test (nobody_is_taken_in_when_memory_is_nearly_spent),
    cmocka_unit_test (two_pools_share_the_budget),
    cmocka_unit_test (nobody_is_taken_in_while_a_loop_has_been_late_for_seconds),
  };
  return cmocka_run_group_tests (tests, NULL, NULL);
}
