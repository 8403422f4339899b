// Long lists are drawn a part at a time.

import { t } from '../strings'

export const rowsAtOnce = 200

export function More({ onMore }: { onMore: () => void }) {
  return <p class="pad"><button type="button" data-do="more" onClick={onMore}>{t('more')}</button></p>
}
