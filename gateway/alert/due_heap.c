#include "gateway/alert/due_heap.h"

/* The watch's heap_index is its place here; place 0 is nobody's. */
struct DueHeap {
  GPtrArray *places;
};

DueHeap *due_heap_new (void)
{
  DueHeap *heap = g_new0 (DueHeap, 1);
  heap->places = g_ptr_array_new ();
  g_ptr_array_add (heap->places, NULL);
  return heap;
}

static void put (DueHeap *heap, guint place, Watch *watch)
{
  heap->places->pdata[place] = watch;
  watch->heap_index = place;
}

static Watch *at (const DueHeap *heap, guint place)
{
  return heap->places->pdata[place];
}

static void sift_up (DueHeap *heap, guint place, Watch *watch)
{
  for (; place > 1 && at (heap, place / 2)->due > watch->due; place /= 2)
    put (heap, place, at (heap, place / 2));
  put (heap, place, watch);
}

static void sift_down (DueHeap *heap, guint place, Watch *watch)
{
  guint length = heap->places->len;
  for (guint child = 2 * place; child < length; child = 2 * place) {
    if (child + 1 < length && at (heap, child + 1)->due < at (heap, child)->due)
      child++;
    if (at (heap, child)->due >= watch->due)
      break;
    put (heap, place, at (heap, child));
    place = child;
  }
  put (heap, place, watch);
}

static void take_out (DueHeap *heap, Watch *watch)
{
  guint place = watch->heap_index;
  Watch *last = g_ptr_array_steal_index (heap->places, heap->places->len - 1);
  watch->heap_index = 0;
  if (last == watch)
    return;
  if (place > 1 && at (heap, place / 2)->due > last->due)
    sift_up (heap, place, last);
  else
    sift_down (heap, place, last);
}

void due_heap_set (DueHeap *heap, Watch *watch, gint64 due)
{
  gint64 before = watch->due;
  watch->due = due;
  if (watch->heap_index == 0 && due == G_MAXINT64)
    return;
  if (watch->heap_index == 0) {
    g_ptr_array_add (heap->places, watch);
    sift_up (heap, heap->places->len - 1, watch);
  } else if (due == G_MAXINT64)
    take_out (heap, watch);
  else if (due < before)
    sift_up (heap, watch->heap_index, watch);
  else if (due > before)
    sift_down (heap, watch->heap_index, watch);
}

Watch *due_heap_first (const DueHeap *heap)
{
  return heap->places->len > 1 ? at (heap, 1) : NULL;
}

void due_heap_free (DueHeap *heap)
{
  g_ptr_array_unref (heap->places);
  g_free (heap);
}
