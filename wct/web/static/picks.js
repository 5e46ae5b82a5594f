// Small pictures to choose from: a click is an event 'pick' with the kind and the name of what was chosen.
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button) trigger('pick', { kind: button.dataset.kind, name: button.dataset.name });
});
