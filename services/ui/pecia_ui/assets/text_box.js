// A read-only text area with a button that copies all of it.
// navigator.clipboard exists only on https and localhost; elsewhere the selection is copied.
export default function ({ data, parentElement }) {
  const area = parentElement.querySelector("#text");
  const button = parentElement.querySelector("#copy");
  const said = parentElement.querySelector("#said");
  // What is the same stays, and with it what somebody has selected in it.
  if (area.value !== data.text) area.value = data.text;
  area.rows = Math.min(data.rows, 24);

  async function copied() {
    if (navigator.clipboard) {
      try {
        await navigator.clipboard.writeText(area.value);
        return true;
      } catch {
        // Not permitted: the selection may still be.
      }
    }
    area.focus();
    area.select();
    return document.execCommand("copy");
  }

  let back;
  button.onclick = async () => {
    const told = (await copied()) ? "Copied" : "Press Ctrl+C";
    button.textContent = said.textContent = told;
    clearTimeout(back);
    back = setTimeout(() => {
      button.textContent = "Copy text";
      said.textContent = "";
    }, 2000);
  };
  return () => clearTimeout(back);
}
