"""The picture of a training: samples at doubling steps, and a file that is known as ours."""

import torch

from nstcli import images
from nstcli.networks.transformation import TransformationNetwork
from nstcli.training import sheet
from nstcli.training.loop import State


def state_of(step: int) -> State:
    torch.manual_seed(0)
    network = TransformationNetwork(2, 1).requires_grad_(False)
    losses = torch.linspace(9, 1, step)[:, None]
    return State(network, network, torch.optim.Adam([torch.zeros(1)]), step=step, losses=losses)


def test_samples_are_due_at_doubling_steps() -> None:
    state = state_of(1)
    due = []
    for step in range(1, 1000):
        state.step = step
        if sheet.sample_due(state):
            due.append(step)
            state.samples[step] = torch.zeros(3, 1, 1, dtype=torch.uint8)
    assert due == [50, 100, 200, 400, 800]


def test_the_sheet_grows_and_is_known_as_ours() -> None:
    state, photo = state_of(120), torch.rand(1, 3, 30, 40)
    sizes = []
    for step in (50, 100, 200):
        state.step = step
        sheet.add_sample(state, photo)
        data = sheet.draw(state, photo, "ink [/b]")
        assert sheet.is_sheet(data)
        sizes.append(images.size_of(data))
    assert state.samples[50].shape == (3, 30, 40)
    widths, heights = zip(*[size for size in sizes if size], strict=True)
    assert sorted(set(widths)) == list(widths)
    assert len(set(heights)) == 1
    assert not sheet.is_sheet(images.encode(photo[0].permute(1, 2, 0).mul(255).byte().numpy()))
