import { type Component, mount } from 'svelte'

/**
 * Mounts a page in the place of the text that the server wrote for readers without JavaScript and for slow connections.
 *
 * @param ready where the page has nothing to show before: the text stands until then
 */
export function openPage<Props extends Record<string, unknown>>(
  component: Component<Props>,
  props: Props,
  ready?: Promise<void>,
): void {
  const place = document.getElementById('app') ?? document.body
  const text = place.querySelector('.first')
  if (!text || !ready) {
    text?.remove()
    mount(component, { target: place, props })
    return
  }
  const target = document.createElement('div')
  target.hidden = true
  place.append(target)
  mount(component, { target, props })
  void ready.then(() => {
    text.remove()
    target.hidden = false
  })
}
