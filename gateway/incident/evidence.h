/* evidence.h: gets what incidents want as evidence: clips and pictures, kept in DATA_DIR/evidence for good.
 *
 * The wants are rows, written with the incident (evidence_rows.h); here a thread of its own has them carried out through
 * a port, asks again when the other side was away, until an hour after a clip's end, and binds each file to its incident:
 * size and SHA-256 in the row, a history entry "evidence", a new revision. No retention touches these files.
 *
 * thread: any. */
#pragma once

#include "gateway/incident/evidence_rows.h"
#include "gateway/incident/incident_book.h"

typedef struct Evidence Evidence;

/* What carries it out: the links to media and vision. Called on the evidence thread, and may wait. */
typedef struct {
  gpointer self;
  /* Takes `file_fd`, an empty file. TRUE: accepted; evidence_clip_done follows once it is whole and synced. */
  gboolean (*clip) (gpointer self, const char *id, const char *camera, gint64 from_us, gint64 to_us, int file_fd,
                    GError **error);
  /* Writes a JPEG of what the camera shows (key frame at or before `at_us`) to `file_fd`, which stays the caller's. */
  gboolean (*picture) (gpointer self, const char *camera, gint64 at_us, int file_fd, gint64 *taken_at_us,
                       GError **error);
} EvidencePort;

/* Listens to `book`: make it before the first job. Its thread starts with evidence_start. */
Evidence *evidence_new (Store *store, IncidentBook *book, const EvidencePort *port);

/* Also takes up what was wanted before the last end. */
void evidence_start (Evidence *evidence);

/* media's CLIP_DONE; `problem` NULL: the file is whole. from, to: what it really holds, 0: as asked. */
void evidence_clip_done (Evidence *evidence, const char *id, gint64 from_us, gint64 to_us, gint64 bytes,
                         const char *sha256, const char *problem);

/* media is there again: clips that were accepted before are asked for anew. */
void evidence_port_back (Evidence *evidence);

/* Ends the thread; before store_close. */
void evidence_stop (Evidence *evidence);
void evidence_free (Evidence *evidence);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Evidence, evidence_free)
