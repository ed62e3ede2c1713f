"""What a panel's page needs beside core widgets: a few rules of style and lines of script.

The classes, such as ``dlcourse-p``, are those that `dlcourse.live` gives to its parts.
"""

BUTTONS = (0.01, 0.2, 0.5, 0.8, 0.99)

_SHOWN_BUTTONS = ", ".join(f":nth-child({round(100 * p) + 1})" for p in BUTTONS)
# The number beside a SelectionSlider takes clicks and keys, and makes nothing of them.
LOOK = f"""<style>
.dlcourse-p .widget-readout {{
  pointer-events: none; user-select: none; -webkit-user-modify: read-only; }}
.dlcourse-buttons .widget-toggle-button {{ padding: 0 4px; }}
.dlcourse-buttons .widget-toggle-button:not({_SHOWN_BUTTONS}) {{ display: none; }}
.dlcourse-code .slider-container, .dlcourse-words .slider-container {{ display: none; }}
.dlcourse-words {{ position: absolute; height: 1px; overflow: hidden; clip-path: inset(50%); }}
.dlcourse-words .widget-readout {{ -webkit-user-modify: read-only; }}
.dlcourse-code .widget-readout {{
  width: auto; max-width: none; padding: 0 8px; font-family: monospace; white-space: nowrap;
  user-select: all; -webkit-user-modify: read-only; cursor: copy; }}
.dlcourse-notice.widget-label {{
  order: -1; height: auto; padding: 6px 10px; white-space: normal; line-height: 1.5;
  border-left: 4px solid #b35900; background: #fff4e5; color: #000; }}
.dlcourse-large {{ --jp-widgets-font-size: 18px; --jp-widgets-inline-height: 34px; }}
</style>"""
# Core sliders have no name for a screen reader, and say their position instead of what they show;
# core images have no text alternative; and Notebook 7 takes a slider's arrow keys for its own.
NAMES = """<img src="data:," alt="" onerror="
  const panel = this.closest('.dlcourse-panel');
  const name = () => {
    for (const slider of panel.querySelectorAll('.widget-slider')) {
      const handle = slider.querySelector('.noUi-handle');
      if (!handle) continue;
      handle.setAttribute('aria-label', slider.querySelector('.widget-label').textContent);
      handle.setAttribute('aria-valuetext', slider.querySelector('.widget-readout').textContent);
    }
    const words = panel.querySelector('.dlcourse-words .widget-readout');
    for (const picture of panel.querySelectorAll('.widget-image'))
      picture.alt = words ? words.textContent : '';
  };
  new MutationObserver(name).observe(panel, {subtree: true, childList: true, characterData: true});
  name();
  const keep = event => {
    const handle = event.target.closest('.dlcourse-panel .noUi-handle');
    if (handle) handle.toggleAttribute(
      'data-lm-suppress-shortcuts', /^(Arrow|Page|Home|End)/.test(event.key));
  };
  if (!window.dlcourse) window.dlcourse = window.addEventListener('keydown', keep, true) || true;
">"""
