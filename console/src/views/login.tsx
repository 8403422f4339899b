import { useState } from 'preact/hooks'
import { Problem, signIn } from '../api'
import { t } from '../strings'
import type { Session } from '../types'

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path class="mark-cells" d="M3 3h12v12H3zM17 3h12v12H17zM3 17h12v12H3z" />
      <path class="mark-lit" d="M17 17h12v12H17z" />
    </svg>
  )
}

export function Login({ message, onEntered }: { message: string | null; onEntered: (session: Session) => void }) {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setProblem(null)
    try {
      const session = await signIn(name, password)
      if (session) return onEntered(session)
      setProblem(t('signed_out'))
    } catch (error) {
      setProblem(reason(error))
      setPassword('')
    }
    setBusy(false)
  }

  return (
    <form class="card" onSubmit={submit}>
      <h1><Mark />{t('app_name')}</h1>
      <p class="muted">{t('sign_in_title')}</p>
      <label>
        <span>{t('name')}</span>
        <input name="name" autocomplete="username" required autofocus value={name}
          onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <label>
        <span>{t('password')}</span>
        <input name="password" type="password" autocomplete="current-password" required value={password}
          onInput={(event) => setPassword(event.currentTarget.value)} />
      </label>
      {(problem ?? message) && <p class="problem" role="alert">{problem ?? message}</p>}
      <button type="submit" class="primary" disabled={isBusy}>{t('sign_in')}</button>
    </form>
  )
}

export function reason(error: unknown): string {
  if (!(error instanceof Problem)) return t('error_network')
  if (error.status === 401) return t('sign_in_wrong')
  if (error.status === 429) return t('sign_in_locked')
  return error.message
}
