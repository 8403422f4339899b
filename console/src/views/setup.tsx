// The one-time set-up link that the first start logs: makes the first administrator and signs them in.

import { useState } from 'preact/hooks'
import { Problem, setUp, signIn } from '../api'
import { t } from '../strings'
import type { Session } from '../types'
import { Field, Mark } from './card_form'

const shortestPassword = 8

export function Setup({ token, onEntered }: { token: string; onEntered: (session: Session) => void }) {
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const [isBusy, setBusy] = useState(false)

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (password.length < shortestPassword) return setProblem(t('setup_short', { count: shortestPassword }))
    if (password !== again) return setProblem(t('setup_differ'))
    setBusy(true)
    setProblem(null)
    try {
      await setUp(token, name, password)
      const session = await signIn(name, password)
      if (session) return onEntered(session)
    } catch (error) {
      setProblem(error instanceof Problem ? error.message : t('error_network'))
    }
    setBusy(false)
  }

  if (!token) return <section class="card" role="alert"><h1><Mark />{t('setup_title')}</h1><p>{t('setup_no_token')}</p></section>
  return (
    <form class="card" onSubmit={submit}>
      <h1><Mark />{t('setup_title')}</h1>
      <p class="muted">{t('setup_help')}</p>
      <Field label={t('name')} name="name" autocomplete="username" isFirst value={name} onValue={setName} />
      <Field label={t('password')} name="password" type="password" autocomplete="new-password" value={password}
        onValue={setPassword} />
      <Field label={t('password_again')} name="again" type="password" autocomplete="new-password" value={again}
        onValue={setAgain} />
      {problem && <p class="problem" role="alert">{problem}</p>}
      <button type="submit" class="primary" disabled={isBusy}>{t('setup_button')}</button>
    </form>
  )
}
