/* evidence_rows.h: the records of evidence: what is wanted, what is there, what could not be had.
 *
 * thread: that of the database given. */
#pragma once

#include <jansson.h>

#include "gateway/store/database.h"

typedef struct {
  char *id, *incident, *camera;
  gboolean is_clip; /* else a picture */
  char *state;      /* wanted done failed */
  gint64 from_us, to_us;
  gint64 bytes;
  char *sha256, *reason;
} EvidenceRow;

/* Wants a clip (from, to) or, with from equal to to, a picture. */
gboolean evidence_want (Database *database, const char *incident, const char *camera, gint64 from_us, gint64 to_us,
                        gint64 now_us, GError **error);

EvidenceRow *evidence_row_load (Database *database, const char *id, GError **error); /* NULL without error: none */
GPtrArray *evidence_rows_wanted (Database *database, GError **error); /* of EvidenceRow */

/* FALSE without an error: it is no longer wanted, nothing was changed. */
gboolean evidence_row_done (Database *database, const EvidenceRow *row, GError **error);
gboolean evidence_row_failed (Database *database, const char *id, const char *reason, GError **error);

/* What GET /incidents/ID/evidence lists: [{id,camera,kind,state,from,to,bytes,sha256,url,reason}]; bytes, sha256 and url
 * are null until it is there, reason only when it failed. */
json_t *evidence_list (Database *database, const char *incident, GError **error);

/* DATA_DIR/evidence/ID.mp4 or .jpg; free with g_free. */
char *evidence_path (const char *data_dir, const EvidenceRow *row);
const char *evidence_media_type (const EvidenceRow *row);

void evidence_row_free (EvidenceRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (EvidenceRow, evidence_row_free)
