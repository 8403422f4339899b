#include "gateway/access/password.h"

#include <sodium.h>
#include <string.h>

#include "gateway/core/error.h"

static GMutex one_at_a_time;

static guint kinds_of_characters (const char *password)
{
  gboolean has_letter = FALSE, has_digit = FALSE, has_other = FALSE;
  for (const char *at = password; *at; at++) {
    has_letter |= g_ascii_isalpha (*at);
    has_digit |= g_ascii_isdigit (*at);
    has_other |= !g_ascii_isalnum (*at);
  }
  return (guint) has_letter + (guint) has_digit + (guint) has_other;
}

gboolean password_is_acceptable (const char *name, const char *password, GError **error)
{
  gsize length = strlen (password);
  if (!g_utf8_validate (password, -1, NULL))
    return error_set (error, ERROR_REFUSE, "the password is not valid UTF-8");
  if (length > PASSWORD_LENGTH_MAX)
    return error_set (error, ERROR_REFUSE, "the password is longer than %d bytes", PASSWORD_LENGTH_MAX);
  if (g_utf8_strlen (password, -1) < PASSWORD_LENGTH_MIN)
    return error_set (error, ERROR_REFUSE, "the password needs at least %d characters", PASSWORD_LENGTH_MIN);
  if (kinds_of_characters (password) < 2)
    return error_set (error, ERROR_REFUSE, "the password needs two kinds of characters: letters, digits or others");
  if (g_ascii_strcasecmp (name, password) == 0)
    return error_set (error, ERROR_REFUSE, "the password is the account's name");
  return TRUE;
}

char *password_hash (const char *password, GError **error)
{
  char hash[crypto_pwhash_STRBYTES];
  if (sodium_init () < 0) {
    error_set (error, ERROR_GIVE_UP, "libsodium could not be initialised");
    return NULL;
  }
  g_mutex_lock (&one_at_a_time);
  int result = crypto_pwhash_str (hash, password, strlen (password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                  crypto_pwhash_MEMLIMIT_INTERACTIVE);
  g_mutex_unlock (&one_at_a_time);
  if (result != 0) {
    error_set (error, ERROR_RETRY, "no memory to hash a password");
    return NULL;
  }
  return g_strdup (hash);
}

gboolean password_verify (const char *hash, const char *password)
{
  /* of a random password that nobody knows, with the limits of ours */
  static const char nobodys[] = "$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
                                "Zm9yZ2V0IGl0OiBubyBwYXNzd29yZCBoYXMgdGhpcy4";
  if (sodium_init () < 0 || strlen (password) > PASSWORD_LENGTH_MAX)
    return FALSE;
  g_mutex_lock (&one_at_a_time);
  int result = crypto_pwhash_str_verify (hash != NULL ? hash : nobodys, password, strlen (password));
  g_mutex_unlock (&one_at_a_time);
  return result == 0 && hash != NULL;
}
