/** A tap's click comes after the controls that it brought: it must not land on them. */
const TAP_MS = 350
/** media-chrome's own, seconds. */
const AUTOHIDE_S = 2

/** Whether media-chrome's controls are seen, and whether presses reach them. */
export class ControlsShown {
  /** They are out of the way. */
  idle = $state(false)
  /** Presses go past them: they are not seen, or have just been brought by this very tap. */
  untouchable = $state(false)
  private byFinger = false

  /** Call with whatever points at the player. */
  readonly pointed = ({ pointerType }: PointerEvent): void => {
    this.byFinger = pointerType === 'touch'
  }

  /** @returns the function that ends it */
  follow(controller: HTMLElement): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = () => {
      this.idle = controller.hasAttribute('userinactive')
      clearTimeout(timer)
      if (this.idle || !this.byFinger) this.untouchable = this.idle
      else timer = setTimeout(() => (this.untouchable = false), TAP_MS)
    }
    // The mouse that a browser makes of a finger leaves right after the tap: the controls stay for their time all the same.
    const left = (event: Event) => {
      if (this.byFinger) event.stopImmediatePropagation()
    }
    look()
    controller.addEventListener('userinactivechange', look)
    controller.addEventListener('mouseleave', left, { capture: true })
    return () => {
      clearTimeout(timer)
      controller.removeEventListener('mouseleave', left, { capture: true })
      controller.removeEventListener('userinactivechange', look)
    }
  }
}

/** Keeps the controls in sight, as while a menu of theirs is read. @returns the function that ends it */
export function keepInSight(controller: HTMLElement): () => void {
  controller.setAttribute('autohide', '-1')
  return () => {
    controller.setAttribute('autohide', String(AUTOHIDE_S))
    controller.dispatchEvent(new PointerEvent('pointermove', { pointerType: 'mouse' }))
  }
}
