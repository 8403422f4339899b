import { useState } from 'preact/hooks'
import { Problem, signIn } from '../api'
import { t } from '../strings'
import type { Session } from '../types'
import { Field, Mark } from './card_form'

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
      <Field label={t('name')} name="name" autocomplete="username" isFirst value={name} onValue={setName} />
      <Field label={t('password')} name="password" type="password" autocomplete="current-password" value={password}
        onValue={setPassword} />
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
