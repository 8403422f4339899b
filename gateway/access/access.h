/* access.h: who is calling: accounts, sessions, tokens, the set-up link, and the one object that holds them.
 *
 * The database is the truth; nothing about a person is kept in memory but recent login failures and the set-up link.
 * Functions with a `Database` run inside a job of the store or with a reader; functions with an `Access` wait for the
 * store themselves: any thread but the store's. */
#pragma once

#include <jansson.h>

#include "gateway/access/audit.h"
#include "gateway/access/permit.h"
#include "gateway/store/store.h"

typedef struct Access Access;

/* Returns a new reference to the site of now. thread: any. */
typedef Site *(*SiteGetter) (gpointer data);

Access *access_new (Store *store, SiteGetter site, gpointer data);
Site *access_site (Access *access); /* a new reference */
Store *access_store (Access *access);
gint64 access_now_us (Access *access);

/* Called, from any thread, to end a viewer whose right was taken away. Set before the first request. */
typedef void (*ViewerEnd) (const char *viewer, const char *reason, gpointer data);
void access_set_viewer_end (Access *access, ViewerEnd end, gpointer data);

/* Writes one entry and waits for it. An error is logged: what is audited has happened. */
void access_audit (Access *access, const AuditEntry *entry);

/* --- set-up: the first administrator --- */

/* "BASE/setup?token=…" while there is no account, else NULL. Each call makes a new link and voids the one before; it lasts
 * until it is used or the gateway ends. */
char *access_setup_link (Access *access, const char *base_url);
gboolean access_set_up (Access *access, const char *token, const char *name, const char *password, const char *address,
                        GError **error);

/* --- accounts --- */

typedef struct {
  const char *name;
  Role role;
  const char *agency, *grid, *unit; /* may be NULL */
} AccountFields;

/* Checks names, role and bindings against the site. */
gboolean account_fields_check (const Site *site, const AccountFields *fields, GError **error);
gboolean account_add (Database *database, gint64 now_us, const AccountFields *fields, const char *password_hash,
                      GError **error);
gboolean account_set_password (Database *database, gint64 now_us, const char *name, const char *password_hash,
                               GError **error); /* ends its sessions, as do the next two */
gboolean account_set_locked (Database *database, const char *name, gboolean is_locked, GError **error);
gboolean account_remove (Database *database, const char *name, GError **error);
json_t *account_list (Database *database, GError **error); /* without hashes */

/* --- callers --- */

typedef enum { CALLER_NOBODY, CALLER_SESSION, CALLER_TOKEN, CALLER_PLAY } CallerKind;

typedef struct {
  CallerKind kind;
  Actor actor;
  char *csrf;         /* of a session */
  char *id;           /* of a token; the hash of a session's cookie */
  char *purpose;      /* of a play token: "live" or "playback" */
  GStrv cameras;      /* of a play token; NULL: all that the actor may see */
  gint64 expires_us;  /* of a token; 0: never */
} Caller;

void caller_clear (Caller *caller);

enum { SESSION_IDLE_S = 30 * 60, SESSION_LONGEST_S = 12 * 3600, PLAY_TOKEN_S = 600 };

typedef enum { LOGIN_OK, LOGIN_WRONG, LOGIN_WAIT, LOGIN_FAILED } LoginResult;

/* `*cookie` and `*csrf` (g_free) on LOGIN_OK; `*wait_us` on LOGIN_WAIT; `error` on LOGIN_FAILED. A wrong name, a wrong
 * password and a locked account look alike. */
LoginResult access_log_in (Access *access, const char *name, const char *password, const char *address, char **cookie,
                           char **csrf, gint64 *wait_us, GError **error);
void access_log_out (Access *access, const Caller *caller, const char *address);

/* FALSE when the cookie is unknown, idle too long, too old, or of a locked account. */
gboolean access_caller_of_session (Access *access, const char *cookie, Caller *caller);
gboolean access_caller_of_token (Access *access, const char *secret, Caller *caller);
gboolean access_caller_of_play_token (Access *access, const char *token, Caller *caller);

/* Whether the session or token that `caller` came with still holds: for long answers. thread: any but the store's. */
gboolean access_caller_is_valid (Access *access, const Caller *caller);

/* --- tokens for programs --- */

/* `*secret` is shown once: only its hashes are kept. */
gboolean token_add (Database *database, gint64 now_us, const AccountFields *fields, gint64 expires_us, char **id,
                    char **secret, GError **error);
gboolean token_revoke (Database *database, gint64 now_us, const char *id, GError **error);
json_t *token_list (Database *database, GError **error);

/* A token for `?token=`, ten minutes. `cameras` NULL: all that the caller may see. */
gboolean access_play_token (Access *access, const Caller *caller, const char *const *cameras, const char *purpose,
                            char **token, gint64 *expires_us, GError **error);

void access_free (Access *access);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Access, access_free)
