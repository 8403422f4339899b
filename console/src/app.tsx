// The page as a whole: who is signed in decides what stands on it.

import { useEffect, useState } from 'preact/hooks'
import { currentSession, onSignedOut, signOut } from './api'
import { Model } from './model'
import { language, setLanguage, t } from './strings'
import type { Session } from './types'
import { Login } from './views/login'
import { Setup } from './views/setup'
import { Shell } from './views/shell'

type Stage =
  | { name: 'starting' }
  | { name: 'unreachable'; detail: string }
  | { name: 'setup'; token: string }
  | { name: 'login'; message: string | null }
  | { name: 'in'; model: Model }

export function App() {
  const [stage, setStage] = useState<Stage>({ name: 'starting' })
  const [, setDrawnIn] = useState(language())

  const enter = (session: Session): void => {
    const model = new Model(session)
    model.signedOut = () => setStage({ name: 'login', message: t('signed_out') })
    setStage({ name: 'in', model })
  }
  const begin = (): void => {
    setStage({ name: 'starting' })
    if (location.pathname === '/setup') {
      setStage({ name: 'setup', token: new URLSearchParams(location.search).get('token') ?? '' })
      return
    }
    currentSession().then(
      (session) => (session ? enter(session) : setStage({ name: 'login', message: null })),
      (error: Error) => setStage({ name: 'unreachable', detail: error.message }))
  }
  useEffect(() => {
    onSignedOut(() => setStage({ name: 'login', message: t('signed_out') }))
    begin()
  }, [])

  const model = stage.name === 'in' ? stage.model : null
  useEffect(() => {
    model?.start()
    return () => model?.stop()
  }, [model])

  const switchLanguage = (): void => {
    const other = language() === 'zh' ? 'en' : 'zh'
    setLanguage(other)
    setDrawnIn(other)
  }
  const leave = (): void => {
    void signOut().catch(() => {}).then(() => setStage({ name: 'login', message: null }))
  }
  const entered = (session: Session): void => {
    if (location.pathname !== '/') history.replaceState(null, '', '/')
    enter(session)
  }

  if (stage.name === 'in') return <Shell model={stage.model} onLanguage={switchLanguage} onSignOut={leave} />
  return (
    <main class="door">
      <button type="button" class="quiet door-language" onClick={switchLanguage}>{t('language_other')}</button>
      {stage.name === 'starting' && <p class="muted">{t('loading')}</p>}
      {stage.name === 'unreachable' && (
        <section class="card" role="alert">
          <p>{stage.detail}</p>
          <button type="button" onClick={begin}>{t('retry')}</button>
        </section>
      )}
      {stage.name === 'login' && <Login message={stage.message} onEntered={entered} />}
      {stage.name === 'setup' && <Setup token={stage.token} onEntered={entered} />}
    </main>
  )
}
